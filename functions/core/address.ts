/** Host names, IPv4, IPv6 in brackets; a port from 1 to 65535. No scheme, path or user name. */
export function isHostAndPort(address: string): boolean {
  const match = /^(?:[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?$/.exec(address);
  if (match === null) return false;
  const port = match[1] === undefined ? 80 : Number(match[1]);
  return port >= 1 && port <= 65_535;
}
