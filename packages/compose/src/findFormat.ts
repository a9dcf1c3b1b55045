import { errorCode, nearNames, problem } from '@dropbp/basics';
import type { AdapterFormat } from '@dropbp/core';

/** Where each method's package is, loaded when an adapter of the method is. */
const packages: Readonly<Record<string, () => Promise<{ readonly peftFormat: AdapterFormat }>>> = {
  LORA: () => import('@dropbp/peft-lora'),
  IA3: () => import('@dropbp/peft-ia3'),
};

/** The format of a method. @throws Problem if none is known, or its package is not installed */
export async function findFormat(peftType: string, formats: readonly AdapterFormat[]): Promise<AdapterFormat> {
  const given = formats.find(format => format.peftType === peftType);
  if (given !== undefined) return given;
  const load = Object.hasOwn(packages, peftType) ? packages[peftType] : undefined;
  if (load === undefined) {
    const known = [...new Set([...formats.map(format => format.peftType), ...Object.keys(packages)])];
    const near = nearNames(peftType, known);
    throw problem('compose', {
      what: `adapters of the method '${peftType}' are not supported`,
      expected: known.join(', '),
      ...(near.length > 0 && { fix: `did you mean ${near.join(' or ')}?` }),
    });
  }
  try {
    return (await load()).peftFormat;
  } catch (cause) {
    if (errorCode(cause) !== 'ERR_MODULE_NOT_FOUND') throw cause;
    const name = `@dropbp/peft-${peftType.toLowerCase()}`;
    throw problem('compose', {
      what: `the package of ${peftType} adapters is missing`,
      fix: `npm install ${name}`,
      cause,
    });
  }
}
