import { defineConfig } from "vitest/config"

// Tests run on Bun, the runtime of the product; its worker support needs the threads pool.
export default defineConfig({
  test: { pool: "threads", include: ["test/**/*.test.ts"], testTimeout: 20_000, hookTimeout: 30_000, maxWorkers: 2 },
})
