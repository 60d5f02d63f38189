import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/global.ts",
    // A browser takes a while to start on a busy machine; each test bounds its own waits.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 3,
    minWorkers: 1,
  },
});
