import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The page is served by medtwin.server from its package, under a Content-Security-Policy without 'unsafe-inline':
// everything is a file of its own, nothing is inlined, and every address is relative.
export default defineConfig({
  plugins: [svelte()],
  base: './',
  build: {
    outDir: '../src/medtwin/server/static',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    reportCompressedSize: false,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8765' } },
});
