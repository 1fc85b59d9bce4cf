/** Where the scrape function reads the Dynatrace API token: the prop `apiToken`. */
import { ArnFormat, Stack, Token } from 'aws-cdk-lib';
import type * as kms from 'aws-cdk-lib/aws-kms';
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';

/** Characters, by SSM's own bound. */
export const MAX_PARAMETER_NAME_LENGTH = 1_011;

/** The place of a token with the scope `metrics.ingest`; the token itself never passes through CDK. */
export class ApiToken {
  /**
   * A parameter, best a SecureString, put by hand since CloudFormation cannot create one. One that does not exist yet
   * is waited for.
   * @param parameterName such as `/team/dynatrace-token`; one that is known at deployment only begins with a slash
   * @param options `encryptionKey`: the key of the parameter, no alias; default: alias/aws/ssm, which needs no grant
   * @throws Error when the name is none of a parameter.
   */
  static fromSsmParameter(
    parameterName: string,
    options: { readonly encryptionKey?: kms.IKey } = {},
  ): ApiToken {
    const isName =
      Token.isUnresolved(parameterName) ||
      (/^\/?[\w.-]+(?:\/[\w.-]+)*$/.test(parameterName) && parameterName.length <= MAX_PARAMETER_NAME_LENGTH);
    // Not repeated: it may be the token itself.
    if (!isName || TOKEN.test(parameterName)) {
      throw new Error(
        'cannot use apiToken: this is no name of a parameter; give one such as /team/dynatrace-token',
      );
    }
    return new ApiToken({ reference: `ssm:${parameterName}`, parameterName, ...options });
  }

  /**
   * A secret of Secrets Manager, made or imported with its own key if it has one.
   * @param options `field`: of a secret that is a JSON object, 1 to 256 characters without white space and `#`;
   * default: the whole text is the token
   * @throws Error when the field is none.
   */
  static fromSecret(secret: secretsmanager.ISecret, options: { readonly field?: string } = {}): ApiToken {
    const { field } = options;
    if (field !== undefined && !Token.isUnresolved(field) && !/^[^\s#]{1,256}$/.test(field)) {
      throw new Error(
        'cannot use apiToken: its field is not 1 to 256 characters without white space and #; ' +
          'leave it out where the whole secret is the token',
      );
    }
    const arn = secret.secretFullArn ?? secret.secretArn;
    const { encryptionKey } = secret;
    return new ApiToken({
      reference: field === undefined ? arn : `${arn}#${field}`,
      secret,
      ...(encryptionKey === undefined ? {} : { encryptionKey }),
    });
  }

  /** As the scrape function is told: `ssm:<name>`, or an ARN with or without `#<field>`. */
  readonly reference: string;
  readonly parameterName?: string;
  readonly secret?: secretsmanager.ISecret;
  readonly encryptionKey?: kms.IKey;

  private constructor(place: Pick<ApiToken, 'reference' | 'parameterName' | 'secret' | 'encryptionKey'>) {
    this.reference = place.reference;
    Object.assign(this, place);
  }
}

/** Of every kind that Dynatrace gives out. */
const TOKEN = /^dt0[a-z]\d\d\./;

/** The parameter's ARN, unless everything below `<prefix>/secrets/` is granted anyway. */
export function tokenParameterArn(
  scope: Construct,
  parameterPrefix: string,
  { parameterName }: Pick<ApiToken, 'parameterName'>,
): string | undefined {
  if (parameterName === undefined || parameterName.startsWith(`${parameterPrefix}/secrets/`))
    return undefined;
  const hasSlash = Token.isUnresolved(parameterName) || parameterName.startsWith('/');
  return Stack.of(scope).formatArn({
    service: 'ssm',
    resource: `parameter${hasSlash ? '' : '/'}${parameterName}`,
    arnFormat: ArnFormat.NO_RESOURCE_NAME,
  });
}
