// What bundlers for browsers take in the place of index.ts.
import './backend/registerBrowser.ts';

export * from './api.ts';
