/**
 * Writes crds/ and the reference page of its fields from the schemas in operator/api; crds.test.ts holds both to them.
 *
 *     npm run crds
 *     npm run crds -- --release     # keeps them as the release's, which later ones must not take anything from
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { type CustomResourceDefinition, streamDeploymentDefinition } from '../operator/api/crd.ts'
import { withFieldTables } from './crd-page.ts'

const root = dirname(import.meta.dirname)

const HEAD = '# Made from operator/api by `npm run crds`; do not edit.\n'

/** Path from the root and content of each file of crds/. */
export function crdFiles(): Record<string, string> {
  return Object.fromEntries(
    [streamDeploymentDefinition()].map((crd) => [
      `crds/${fileName(crd)}`,
      HEAD + stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false }),
    ]),
  )
}

function fileName({ spec }: CustomResourceDefinition): string {
  return `${spec.group}_${spec.names.plural}.yaml`
}

/** Where a definition lies as it was released. */
export function releasedName(path: string, version: string): string {
  return path.replace(/^crds\//, 'crds/released/').replace(/\.yaml$/, `@${version}.yaml`)
}

export const PAGE = 'docs/kubernetes/streamdeployment.md'

if (import.meta.main) {
  mkdirSync(join(root, 'crds'), { recursive: true })
  for (const [path, content] of Object.entries(crdFiles())) {
    writeFileSync(join(root, path), content)
    console.log(`${path}: ${content.length} bytes`)
    if (process.argv.includes('--release')) {
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
      mkdirSync(join(root, 'crds/released'), { recursive: true })
      writeFileSync(join(root, releasedName(path, version)), content)
    }
  }
  writeFileSync(join(root, PAGE), withFieldTables(readFileSync(join(root, PAGE), 'utf8')))
}
