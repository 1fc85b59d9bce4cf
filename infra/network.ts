/** Where both functions run: in a VPC, or in none. */
import { ArnFormat, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { Settings } from './props.ts';

/** The part of a function's properties that says where it runs; empty outside a VPC. */
export type Network = Pick<lambda.FunctionOptions, 'vpc' | 'vpcSubnets' | 'securityGroups'>;

/**
 * One for both functions: they share the network interfaces that Lambda makes for each subnet and set of security
 * groups, and there is one group to admit where the VPC has interface endpoints.
 */
export function createNetwork(scope: Construct, settings: Settings): Network {
  const { vpc, vpcSubnets, securityGroups } = settings;
  if (vpc === undefined) return {};
  if (vpc instanceof ec2.Vpc) addDynamoDbEndpoint(vpc);
  return {
    vpc,
    ...(vpcSubnets === undefined ? {} : { vpcSubnets }),
    securityGroups: securityGroups ?? [
      new ec2.SecurityGroup(scope, 'SecurityGroup', { vpc, description: 'nim-to-dynatrace: both functions' }),
    ],
  };
}

/** Network interfaces of a function in a VPC: Lambda makes and removes them with the function's own role. */
const NETWORK_INTERFACE_ACTIONS = [
  'ec2:AssignPrivateIpAddresses',
  'ec2:CreateNetworkInterface',
  'ec2:DeleteNetworkInterface',
  'ec2:DescribeNetworkInterfaces',
  'ec2:DescribeSubnets',
  'ec2:UnassignPrivateIpAddresses',
];

export const NETWORK_INTERFACE_REASON =
  'Lambda attaches the function to its VPC with these actions, and EC2 has no narrower resource for them; ' +
  'a deny keeps them from the code of the function.';

/**
 * What Lambda needs to attach a function to a VPC, kept from the function's own code as Lambda's guide
 * advises.
 */
export function networkInterfaceStatements(scope: Construct): iam.PolicyStatement[] {
  const functionArn = Stack.of(scope).formatArn({
    service: 'lambda',
    resource: 'function',
    resourceName: '*',
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return [
    new iam.PolicyStatement({ actions: NETWORK_INTERFACE_ACTIONS, resources: ['*'] }),
    new iam.PolicyStatement({
      effect: iam.Effect.DENY,
      actions: NETWORK_INTERFACE_ACTIONS,
      resources: ['*'],
      // Present only in calls that a function's code makes with its role's credentials.
      conditions: { ArnLike: { 'lambda:SourceFunctionArn': functionArn } },
    }),
  ];
}

/**
 * Free, and spares the NAT gateway the state's traffic. A route table takes only one endpoint for a service,
 * so a VPC that has one already is left alone.
 */
function addDynamoDbEndpoint(vpc: ec2.Vpc): void {
  const stack = Stack.of(vpc);
  const present = vpc.node
    .findAll()
    .some(
      (child) =>
        child instanceof ec2.CfnVPCEndpoint &&
        JSON.stringify(stack.resolve(child.serviceName)).includes('.dynamodb'),
    );
  if (!present) {
    vpc.addGatewayEndpoint('NimToDynatraceDynamoDb', { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB });
  }
}
