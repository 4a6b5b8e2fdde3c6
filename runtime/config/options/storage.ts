/** S3, by Flink's own keys and those that it takes over from its file systems. */
import { option } from '../option.ts'
import { boolean, text } from '../types.ts'

export const S3 = {
  endpoint: option({
    key: 's3.endpoint',
    older: ['fs.s3a.endpoint', 'presto.s3.endpoint'],
    type: text(),
    unset: '`AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, else AWS',
    text: 'URL of another server than AWS’s.',
  }),
  region: option({
    key: 's3.region',
    older: ['s3.endpoint.region', 'fs.s3a.endpoint.region'],
    type: text(),
    unset: '`AWS_REGION`, `AWS_DEFAULT_REGION`, else a profile’s',
    text: 'Of the bucket.',
  }),
  pathStyle: option({
    key: 's3.path.style.access',
    older: ['s3.path-style-access', 'fs.s3a.path.style.access', 'presto.s3.path-style-access'],
    type: boolean,
    unset: 'true with an endpoint',
    text: 'The bucket stands in the path, and not in the host name.',
  }),
  accessKey: option({
    key: 's3.access-key',
    older: ['s3.access.key', 'fs.s3a.access.key', 'presto.s3.access-key'],
    type: text(),
    unset: 'what the environment, a profile or the machine has',
    text: 'With the next key, who one is.',
  }),
  secretKey: option({
    key: 's3.secret-key',
    older: ['s3.secret.key', 'fs.s3a.secret.key', 'presto.s3.secret-key'],
    type: text(),
    unset: 'as above',
    text: 'Its secret.',
  }),
  entropy: option({
    key: 's3.entropy.key',
    type: text(),
    unset: 'none',
    text: 'Left out of paths, with a warning: S3 needs no random ones.',
  }),
}
