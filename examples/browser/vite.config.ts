import { defineConfig } from 'vite';

/** With these a page may share memory among threads; without them it computes on one. */
const isolation = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default defineConfig({
  base: './',
  server: { headers: isolation },
  preview: { headers: isolation },
  worker: { format: 'es' },
  // It finds its WebAssembly beside itself.
  optimizeDeps: { exclude: ['onnxruntime-web', '@dropbp/tfjs-backend-ort'] },
  build: { target: 'es2023', chunkSizeWarningLimit: 2000 },
});
