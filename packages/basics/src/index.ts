export { bucketLength } from './bucketLength.ts';
export { checkNumber, ranges, type NumberRange } from './checks/checkNumber.ts';
export { checkOptions } from './checks/checkOptions.ts';
export { checkValue } from './checks/checkValue.ts';
export { errorCode } from './checks/errorCode.ts';
export { escapeControls, escapeLine } from './checks/escapeControls.ts';
export { isObject } from './checks/checkValue.ts';
export { halfBits } from './encoding/halfBits.ts';
export { ProtobufWriter } from './encoding/protobufWriter.ts';
export { fileDigest, type Digest } from './files/fileDigest.ts';
export { describeOwner, isLock, takeLock, type FileLock, type LockOptions } from './files/fileLock.ts';
export type { LockOwner } from './files/lockOwner.ts';
export { makeFolder } from './files/makeFolder.ts';
export { nearNames } from './checks/nearNames.ts';
export { nodeModule, type NodeModules } from './files/nodeModule.ts';
export { notFinite, NotFinite, problem, Problem, type ProblemDetails } from './checks/problem.ts';
export { checkIsFile, readIfThere, readTextIfThere } from './files/readIfThere.ts';
export { seededRandom, type SeededRandom } from './seededRandom.ts';
export { publishFolder, type PublishOptions } from './files/publishFolder.ts';
export { syncDirectory } from './files/syncDirectory.ts';
export { sum } from './sum.ts';
export {
  forgetTemporary,
  nameOfTemporary,
  removeLeftovers,
  removeTemporaries,
  temporaryPath,
} from './files/temporaryPath.ts';
export { turn } from './turn.ts';
export { writeAtomically, type FileContent } from './files/writeAtomically.ts';
export { removeFolder, writeFolderAtomically } from './files/writeFolderAtomically.ts';
export { writeProblem } from './files/writeProblem.ts';
