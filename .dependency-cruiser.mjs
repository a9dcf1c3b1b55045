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
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    exclude: '(^|/)(node_modules|dist)/',
  },
};
