/** The outputs of a deployed stack: how the command line finds what belongs to it, by the user's own credentials. */
import { type CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import type { Clock } from '../core/ports.ts';
import { awsFailure } from './aws-failure.ts';
import { signalAt } from './clock.ts';

export type StackOutputs =
  | { readonly code: 'read'; readonly outputs: ReadonlyMap<string, string> }
  | { readonly code: 'failed'; readonly message: string };

export async function readStackOutputs(
  { client, clock }: { readonly client: CloudFormationClient; readonly clock: Clock },
  stackName: string,
  deadlineMs: number,
): Promise<StackOutputs> {
  const what = `find the stack ${stackName}`;
  try {
    const answer = await client.send(new DescribeStacksCommand({ StackName: stackName }), {
      abortSignal: signalAt(clock, deadlineMs),
    });
    const outputs = (answer.Stacks?.[0]?.Outputs ?? []).flatMap(({ OutputKey, OutputValue }) =>
      OutputKey === undefined || OutputValue === undefined ? [] : [[OutputKey, OutputValue] as const],
    );
    return { code: 'read', outputs: new Map(outputs) };
  } catch (error) {
    if (isAbsent(error)) {
      const cause = `there is none of that name in ${await client.config.region()} of this account`;
      const remedy = 'name another one by --stack, or set AWS_REGION and AWS_PROFILE';
      return { code: 'failed', message: `cannot ${what}: ${cause}; ${remedy}` };
    }
    return { code: 'failed', message: awsFailure(what, error, 'try again') };
  }
}

/** CloudFormation answers a ValidationError also for a malformed name. */
function isAbsent(error: unknown): boolean {
  return error instanceof Error && error.name === 'ValidationError' && /does not exist/.test(error.message);
}
