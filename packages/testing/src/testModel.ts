import { describeSuite, type Tests } from './describeSuite.ts';
import { contextTests } from './model/contextTests.ts';
import { goldenTests } from './model/goldenTests.ts';
import { withModelOf, type ModelSuite } from './model/modelUnderTest.ts';
import { structureTests } from './model/structureTests.ts';
import { useTests } from './model/useTests.ts';

/** Runs every promise of {@link Model} on a model: the contract test of an architecture. */
export function testModel(name: string, suite: ModelSuite): void {
  describeSuite(name, testsOf(suite), suite);
}

function testsOf(suite: ModelSuite): Tests {
  const withModel = withModelOf(suite);
  return {
    ...goldenTests(suite, withModel),
    ...structureTests(suite, withModel),
    ...contextTests(suite, withModel),
    ...useTests(suite, withModel),
  };
}
