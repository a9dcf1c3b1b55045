import { createRequire } from 'node:module';
import { errorCode, problem } from '@dropbp/basics';
import { turnTelemetryOff } from './ortTelemetry.ts';

type Require = ReturnType<typeof createRequire>;

/**
 * A `require` inside the package of ONNX Runtime for Node: that of this platform alone (`runtimes/` of the repository), or
 * onnxruntime-node, whichever is installed. `./index.js` is its public interface, `./binding.js` the native one. Nothing here
 * loads ONNX Runtime in another way, so its telemetry is off before it loads.
 *
 * @param beside - the file from whose folder on packages are looked for. @defaultValue this one
 * @throws Problem where none is installed, or its telemetry cannot be turned off
 */
export function ortPackage(beside: string = import.meta.url): Require {
  turnTelemetryOff();
  const own = createRequire(beside);
  const found =
    inside(own, `@dropbp/onnxruntime-${process.platform}-${process.arch}/dist/binding.js`) ??
    inside(own, 'onnxruntime-node/dist/binding.js') ??
    inside(inside(own, '@dropbp/onnxruntime-win32'), 'onnxruntime-node/dist/binding.js');
  if (found) return found;
  throw problem('tfjs-backend-ort', {
    what: 'ONNX Runtime is not installed',
    got: `${process.platform} ${process.arch}`,
    expected: 'Linux with glibc (x64, arm64), macOS (arm64) or Windows (x64, arm64)',
    fix: 'install with optional dependencies, or onnxruntime-node 1.30.0 beside it',
  });
}

/** A `require` beside the file that `specifier` stands for, if it can be found. */
function inside(from: Require | undefined, specifier: string): Require | undefined {
  if (from === undefined) return undefined;
  try {
    return createRequire(from.resolve(specifier));
  } catch (error) {
    if (errorCode(error) === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
