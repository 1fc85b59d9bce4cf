/** What the package exports to a CDK app: the construct, and the types of its properties. */
export { NimToDynatrace } from './nim-to-dynatrace.ts';
export type { NimToDynatraceProps } from './props.ts';
export type { TargetSecret } from './secrets.ts';
