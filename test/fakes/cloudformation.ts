/** CloudFormation on the wire, as far as a stack's outputs go: form-encoded requests, XML answers. */
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { listen } from '../../functions/cli/world/loopback.ts';

export interface FakeCloudFormation {
  readonly endpoint: string;
  /** The forms as they came. */
  readonly calls: readonly URLSearchParams[];
  readonly close: () => Promise<void>;
}

type Stacks = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** `stacks`: outputs by the name of their stack. `denied`: nobody may describe them. */
export async function startCloudFormation(
  stacks: Stacks,
  { denied = false }: { readonly denied?: boolean } = {},
): Promise<FakeCloudFormation> {
  const calls: URLSearchParams[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      const form = new URLSearchParams(body);
      calls.push(form);
      const name = form.get('StackName') ?? '';
      const outputs = stacks[name];
      response.setHeader('content-type', 'text/xml');
      if (denied) {
        response.statusCode = 403;
        return response.end(errorXml('AccessDenied', 'User is not authorized to DescribeStacks'));
      }
      if (outputs === undefined) {
        response.statusCode = 400;
        return response.end(errorXml('ValidationError', `Stack with id ${name} does not exist`));
      }
      return response.end(stackXml(name, outputs));
    });
  });
  const { port, close } = await listen(server, 0);
  return { endpoint: `http://127.0.0.1:${port}`, calls, close };
}

const NAMESPACE = 'xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"';

function errorXml(code: string, message: string): string {
  return `<ErrorResponse ${NAMESPACE}><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`;
}

function stackXml(name: string, outputs: Readonly<Record<string, string>>): string {
  const members = Object.entries(outputs)
    .map(
      ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
    )
    .join('');
  const stack = `<StackName>${name}</StackName><CreationTime>2026-01-01T00:00:00Z</CreationTime><StackStatus>UPDATE_COMPLETE</StackStatus><Outputs>${members}</Outputs>`;
  return `<DescribeStacksResponse ${NAMESPACE}><DescribeStacksResult><Stacks><member>${stack}</member></Stacks></DescribeStacksResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></DescribeStacksResponse>`;
}
