/** What the package exports to a CDK app: the construct, where its token may be, and the types of its properties. */
export type { AlarmName, AlarmOptions, Alarms } from './alarms.ts';
export { ApiToken } from './api-token.ts';
export { NimToDynatrace } from './nim-to-dynatrace.ts';
export type { NimToDynatraceProps } from './props.ts';
export type { TargetSecret } from './secrets.ts';
export type { TargetDocument } from './targets.ts';
