// `npm start`: set-up, then the main job on sample data before your eyes.
process.argv.splice(2, 0, 'demo');
await import('./rollout.mjs');
