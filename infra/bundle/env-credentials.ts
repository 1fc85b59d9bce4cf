/**
 * Stands for `@aws-sdk/credential-provider-node` in the bundles. Lambda hands a function its credentials in
 * environment variables, so the rest of the SDK's default chain (files, SSO, STS, instance metadata) is dead
 * weight: 136 KB and a third of the cold start.
 */
interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * The default credential provider of the SDK's clients. The environment is read at each call, never at
 * import.
 * @throws Error when Lambda's credential variables are missing; the SDK's call fails with it.
 */
export function defaultProvider(): () => Promise<Credentials> {
  return async () => {
    const {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
    } = process.env;
    if (!accessKeyId || !secretAccessKey) {
      throw new Error(
        'cannot sign the request: AWS_ACCESS_KEY_ID or AWS_SECRET_ACCESS_KEY is not set; ' +
          'this bundle takes credentials from the environment only, as Lambda provides them',
      );
    }
    return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
  };
}
