/** Wildcards in IAM policies, each with its reason, for cdk-nag's rule AwsSolutions-IAM5. */
import { Stack, Validations } from 'aws-cdk-lib';
import type { Construct } from 'constructs';

/** Says why the role may act on this resource; it stands in the template beside the role. */
export function acknowledgeWildcard(role: Construct, arn: string, reason: string): void {
  Validations.of(role).acknowledge({ id: `AwsSolutions-IAM5[Resource::${asNagSays(role, arn)}]`, reason });
}

/** cdk-nag shows what is known at deployment only as `<AWS::Region>`. */
function asNagSays(scope: Construct, arn: string): string {
  const resolved = Stack.of(scope).resolve(arn) as
    string | { readonly 'Fn::Join': readonly [string, unknown[]] };
  if (typeof resolved === 'string') return resolved;
  const [separator, parts] = resolved['Fn::Join'];
  const flat = parts.map((part) =>
    typeof part === 'string'
      ? part
      : `<${Object.values(part as object)
          .flat()
          .join('.')}>`,
  );
  return flat.join(separator);
}
