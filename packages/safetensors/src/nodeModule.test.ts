import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { nodeModule } from './nodeModule.ts';

describe('nodeModule', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('says what to do where there is no Node', () => {
    vi.stubGlobal('process', undefined);
    const get = () => nodeModule('node:path');
    expect(get).toThrow('[@dropbp/safetensors] paths need Node 20.16 or later; pass a Blob or bytes to read');
  });

  it('is the only way to a module of Node, so that a browser bundle holds none', () => {
    const folder = new URL('.', import.meta.url);
    const sources = readdirSync(folder).filter(file => file.endsWith('.ts') && !file.endsWith('.test.ts'));
    const importing = sources.filter(file =>
      /^import (?!type)[^;]*from 'node:|^import 'node:|[^f] import\('node:/m.test(
        readFileSync(new URL(file, folder), 'utf8'),
      ),
    );
    expect(sources.length).toBeGreaterThan(10);
    expect(importing).toEqual([]);
  });
});
