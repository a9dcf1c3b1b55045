// Fails where modules import each other in a ring. A ring of types alone is allowed: a program never loads it.
export default {
  forbidden: [
    {
      name: 'no-rings',
      comment: 'Modules that import each other have no order in which they are ready. Move what both need to a third.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    exclude: '(^|/)(node_modules|dist)/',
  },
};
