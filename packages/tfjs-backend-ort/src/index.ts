import './backend/registerNode.ts';

export * from './api.ts';
