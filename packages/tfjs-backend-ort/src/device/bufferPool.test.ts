import { describe, expect, it } from 'vitest';
import { BufferPool } from './bufferPool.ts';

describe('BufferPool', () => {
  it('gives a returned buffer out again, and only for its size', () => {
    const pool = new BufferPool();
    const buffer = pool.take(64);
    pool.give(buffer);
    expect(pool.take(32)).not.toBe(buffer);
    expect(pool.take(64)).toBe(buffer);
    expect([pool.usedBytes, pool.idleBytes]).toEqual([96, 0]);
  });
  it('never gives out a buffer that someone else holds', () => {
    const pool = new BufferPool();
    pool.forget(pool.take(64));
    expect([pool.usedBytes, pool.idleBytes]).toEqual([0, 0]);
  });
  it('drops the sizes that were returned longest ago where all would be more than was ever in use, and a little', () => {
    const pool = new BufferPool();
    const MB = 2 ** 20;
    for (const size of [40, 41, 42]) pool.give(pool.take(size * MB));
    expect(pool.idleBytes).toBe((41 + 42) * MB);
    pool.give(pool.take(41 * MB));
    pool.give(pool.take(43 * MB));
    expect(pool.idleBytes).toBe((41 + 43) * MB);
  });
  it('makes room for what a run needs', () => {
    const pool = new BufferPool();
    const MB = 2 ** 20;
    const kept = pool.take(100 * MB);
    pool.give(pool.take(60 * MB));
    pool.makeRoom(60 * MB);
    expect(pool.idleBytes).toBe(60 * MB);
    pool.makeRoom(160 * MB);
    expect(pool.idleBytes).toBe(60 * MB);
    pool.give(pool.take(50 * MB));
    pool.makeRoom(160 * MB);
    expect(pool.idleBytes).toBe(50 * MB);
    pool.give(kept);
    expect(pool.idleBytes).toBe(150 * MB);
  });
  it('holds nothing after trim', () => {
    const pool = new BufferPool();
    pool.give(pool.take(64));
    pool.trim();
    expect(pool.idleBytes).toBe(0);
  });
});
