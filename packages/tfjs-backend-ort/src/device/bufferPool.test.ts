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
  it('drops the sizes that were returned longest ago once it holds twice what was ever in use', () => {
    const pool = new BufferPool();
    for (const size of [100, 101, 102]) pool.give(pool.take(size));
    expect(pool.idleBytes).toBe(101 + 102);
    pool.give(pool.take(101));
    pool.give(pool.take(103));
    expect(pool.idleBytes).toBe(101 + 103);
  });
  it('holds nothing after trim', () => {
    const pool = new BufferPool();
    pool.give(pool.take(64));
    pool.trim();
    expect(pool.idleBytes).toBe(0);
  });
});
