import { createHash, timingSafeEqual } from 'node:crypto';
import { cors } from 'hono/cors';
import type { MiddlewareHandler } from 'hono';
import { ApiError } from './apiError.ts';

/**
 * Refuses requests that a page of another origin makes, unless its origin is allowed. Pages that a browser opens can reach
 * servers on the same machine.
 */
export function checkOrigin(allowed: readonly string[]): MiddlewareHandler {
  const all = allowed.includes('*');
  // Clients send headers of their own: a preflight may ask for any.
  const withHeaders = cors({
    origin: all ? '*' : [...allowed],
    allowMethods: ['GET', 'POST'],
    maxAge: 600,
  });
  return async (context, next) => {
    const origin = context.req.header('origin');
    if (origin === undefined) return next();
    if (!all && !allowed.includes(origin)) {
      throw new ApiError({
        ...{ status: 403, type: 'permission_error', code: 'origin_not_allowed' },
        what: 'the server answers no pages of this origin',
        got: origin,
        fix: 'start it with this origin among those that are allowed',
      });
    }
    return withHeaders(context, next);
  };
}

/** Refuses requests for another host: a page may give the name of its own site this machine's address. */
export function checkHost(hosts: readonly string[] | undefined): MiddlewareHandler {
  return async (context, next) => {
    const { hostname } = new URL(context.req.url);
    if (hosts === undefined || hosts.includes(hostname)) return next();
    throw new ApiError({
      ...{ status: 403, type: 'permission_error', code: 'host_not_allowed' },
      what: 'the server does not answer for this host',
      got: hostname,
      expected: hosts.join(', '),
    });
  };
}

/** Refuses requests without the key. */
export function checkKey(apiKey: string | undefined): MiddlewareHandler {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const wanted = apiKey === undefined ? undefined : digest(`Bearer ${apiKey}`);
  return async (context, next) => {
    const given = context.req.header('authorization') ?? '';
    if (wanted === undefined || timingSafeEqual(digest(given), wanted)) return next();
    throw new ApiError({
      ...{ status: 401, type: 'authentication_error', code: 'invalid_api_key' },
      what: 'the key is missing or wrong',
      fix: "send the header 'authorization: Bearer KEY'",
    });
  };
}
