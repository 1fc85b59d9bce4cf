/** A DNS server on loopback that says what the test says: real packets (RFC 1035) over UDP, and TCP on the same port. */
import { createSocket } from 'node:dgram';
import type { Socket as UdpSocket } from 'node:dgram';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import type { TestContext } from 'node:test';

const TYPES = { A: 1, NS: 2, CNAME: 5, MX: 15, AAAA: 28, SRV: 33 } as const;
type RecordType = keyof typeof TYPES;

/** `SRV 0 0 8000 nim-0.example`, `A 127.0.0.1`, `AAAA ::1`, `MX 10 mail.example`, `NS a.example`, `CNAME b.example`. */
export type DnsRecord = `${RecordType} ${string}`;

/** What a question is answered with; `silence` is no packet at all, `truncated` says over UDP to ask by TCP. */
export type DnsReply =
  | readonly DnsRecord[]
  | { readonly truncated: readonly DnsRecord[] }
  | 'nxdomain'
  | 'servfail'
  | 'refused'
  | 'silence';

export interface DnsServer {
  /** For a resolver's list of servers. */
  readonly address: string;
  /** `A nim.example` in the order of asking. */
  readonly questions: readonly string[];
}

/** `answer` gets type and name, in lower case and without the final dot. */
export async function serveDns(
  t: TestContext,
  answer: (type: string, name: string) => DnsReply,
): Promise<DnsServer> {
  const questions: string[] = [];
  const respond = (query: Buffer, isTcp: boolean): Buffer | undefined => {
    const { type, name, end } = readQuestion(query);
    questions.push(`${type} ${name}${isTcp ? ' by TCP' : ''}`);
    return writeReply(query.subarray(0, end), answer(type, name), isTcp);
  };
  // TCP chooses the port: among its connections a given one may be taken, among UDP's few sockets hardly.
  const tcp = await serveTcp((query) => respond(query, true));
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket('udp4');
  t.after(() => close(udp, tcp));
  udp.on('message', (query, { port, address }) => {
    const reply = respond(query, false);
    if (reply !== undefined) udp.send(reply, port, address);
  });
  await new Promise<void>((resolve, reject) => {
    udp.on('error', reject);
    udp.bind(port, '127.0.0.1', resolve);
  });
  return { address: `127.0.0.1:${port}`, questions };
}

/** Messages over TCP have their length before them (RFC 1035, 4.2.2). */
async function serveTcp(respond: (query: Buffer) => Buffer | undefined): Promise<Server> {
  const server = createServer((socket) => {
    let received: Buffer = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const reply = respond(received.subarray(2, 2 + received.readUInt16BE(0)));
      received = received.subarray(2 + received.readUInt16BE(0));
      if (reply !== undefined) socket.write(Buffer.concat([uint16(reply.length), reply]));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return server;
}

async function close(udp: UdpSocket, tcp: Server): Promise<void> {
  await Promise.all([
    new Promise<void>((resolve) => udp.close(() => resolve())),
    new Promise<void>((resolve) => tcp.close(() => resolve())),
  ]);
}

function readQuestion(query: Buffer): { readonly type: string; readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const code = query.readUInt16BE(at + 1);
  const type = Object.entries(TYPES).find(([, one]) => one === code)?.[0] ?? String(code);
  return { type, name: labels.join('.').toLowerCase(), end: at + 5 };
}

/** Header and question as they came, then the records. */
function writeReply(question: Buffer, reply: DnsReply, isTcp: boolean): Buffer | undefined {
  if (reply === 'silence') return undefined;
  const rcode = reply === 'servfail' ? 2 : reply === 'nxdomain' ? 3 : reply === 'refused' ? 5 : 0;
  const isTruncated = typeof reply === 'object' && 'truncated' in reply && !isTcp;
  const records =
    typeof reply === 'string' || isTruncated ? [] : 'truncated' in reply ? reply.truncated : reply;
  const header = Buffer.from(question.subarray(0, 12));
  header.writeUInt16BE(0x8180 | (isTruncated ? 0x0200 : 0) | rcode, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  return Buffer.concat([header, question.subarray(12), ...records.map(writeRecord)]);
}

/** Its owner is the name that was asked for; a CNAME's target owns what follows in real life, which nobody checks. */
function writeRecord(record: DnsRecord): Buffer {
  const [type = '', ...words] = record.split(' ');
  const data = dataOf(type, words);
  // Class IN, a TTL of 300 s.
  const rest = [
    uint16(TYPES[type as RecordType]),
    uint16(1),
    uint16(0),
    uint16(300),
    uint16(data.length),
    data,
  ];
  return Buffer.concat([uint16(0xc00c), ...rest]);
}

function dataOf(type: string, words: readonly string[]): Buffer {
  const last = words.at(-1) ?? '';
  const numbers = words.slice(0, -1).map((word) => uint16(Number(word)));
  if (type === 'A') return Buffer.from(last.split('.').map(Number));
  if (type === 'AAAA') return addressBytes(last);
  return Buffer.concat([...numbers, nameBytes(last)]);
}

function nameBytes(name: string): Buffer {
  const labels = name.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]),
    Buffer.from([0]),
  ]);
}

function addressBytes(address: string): Buffer {
  const [head = '', tail = ''] = address.split('::');
  const groups = (text: string) =>
    text === '' ? [] : text.split(':').map((group) => uint16(parseInt(group, 16)));
  const [before, after] = [groups(head), groups(tail)];
  return Buffer.concat([...before, Buffer.alloc(16 - 2 * (before.length + after.length)), ...after]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
