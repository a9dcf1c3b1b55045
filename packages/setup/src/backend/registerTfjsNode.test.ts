import { describe, expect, it } from 'vitest';
import { isNotInstalled } from './isNotInstalled.ts';
import { registerTfjsNode } from './registerTfjsNode.ts';

const [works, other] = ['data:text/javascript,export default 1', 'data:text/javascript,export default 2'];
const broken = 'data:text/javascript,throw new Error("no native addon")';
const [missing, alsoMissing] = ['@tensorflow/tfjs-node-tpu', '@tensorflow/tfjs-node-npu'];

describe('registerTfjsNode', () => {
  it('takes the first that is installed and loads', async () => {
    await registerTfjsNode([works, broken]);
    await registerTfjsNode([missing, broken, other]);
  });
  it('says why one that is installed does not load, before that others are not installed', async () => {
    await expect(registerTfjsNode([missing, broken, alsoMissing])).rejects.toThrow('no native addon');
    const failure = await registerTfjsNode([missing, alsoMissing]).catch((error: unknown) => error);
    expect(isNotInstalled(failure)).toBe(true);
  });
});
