import { readdirSync } from 'node:fs';

/**
 * Folders of a package from the lowest up: one may import those that stand before it in the list. A folder that is missing here is an
 * error. Packages without an entry are small, or their folders still import each other.
 */
const folders = {
  basics: ['checks', 'encoding', 'files'],
  // prettier-ignore
  cli: ['terminal', 'files', 'record', 'flags', 'tensorboard', 'ranks', 'model', 'drops', 'method', 'runFolder', 'data', 'forecast', 'answers', 'report', 'commands'],
  dropbp: ['checks', 'rates', 'draws', 'policy'],
  serve: ['http', 'model', 'requests', 'batching', 'answers'],
  setup: ['pretrained', 'backend'],
};

const directions = Object.entries(folders).flatMap(([name, order]) => {
  const root = `packages/${name}/src`;
  for (const folder of foldersOf(root)) {
    if (!order.includes(folder)) throw new Error(`${root}/${folder} is missing in .dependency-cruiser.mjs`);
  }
  return order.slice(0, -1).map((folder, i) => ({
    name: `${name}-${folder}-is-below`,
    comment: 'A folder imports those below it alone: see the order at the head of .dependency-cruiser.mjs.',
    severity: 'error',
    from: { path: `^${root}/${folder}/`, pathNot: '[.]test[.]ts$' },
    to: { path: `^${root}/(${order.slice(i + 1).join('|')})/` },
  }));
});

/** The folders of a package. */
function foldersOf(root) {
  return readdirSync(root, { withFileTypes: true }).flatMap(at => (at.isDirectory() ? [at.name] : []));
}

// Fails where modules import each other in a ring. A table and its members may share types: a program never loads those.
export default {
  forbidden: [
    {
      name: 'no-rings',
      comment: 'Modules that import each other have no order in which they are ready. Move what both need to a third.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-rings-of-types',
      comment: 'In these folders no table has members that share its types, so types form no ring either.',
      severity: 'error',
      from: { path: '^packages/(dropbp/src/policy|tfjs-backend-ort/src/(backend|compile))/' },
      to: { circular: true },
    },
    ...directions,
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    exclude: '(^|/)(node_modules|dist)/',
  },
};
