// The settings in force: loaded once at the start; a reload takes over the workers, every other key waits for the next
// start (`settingsDifference` names those). A job keeps the settings that it read when it started.
import { Context, Effect, Layer, Ref, Semaphore } from "effect"
import { settingsDifference } from "./difference.ts"
import type { SettingsDifference } from "./difference.ts"
import { loadSettings } from "./load.ts"
import type { LoadedSettings, LoadOptions, SettingsError } from "./load.ts"

export interface CurrentSettingsShape {
  readonly get: Effect.Effect<LoadedSettings>
  /** Reads the file and the environment again. A broken file changes nothing. */
  readonly reload: Effect.Effect<SettingsDifference, SettingsError>
}

export class CurrentSettings extends Context.Service<CurrentSettings, CurrentSettingsShape>()("attacca/settings/CurrentSettings") {
  /** `loaded` is what main.ts has read already; `options` is how it was read. */
  static readonly layer = (loaded: LoadedSettings, options: LoadOptions): Layer.Layer<CurrentSettings> =>
    Layer.effect(CurrentSettings, Effect.gen(function*() {
      const current = yield* Ref.make(loaded)
      const one = yield* Semaphore.make(1)
      const reload = Effect.gen(function*() {
        const before = yield* Ref.get(current)
        const next = yield* loadSettings(options)
        const isWorker = (path: ReadonlyArray<string | number>) => path[0] === "workers"
        yield* Ref.set(current, {
          settings: { ...before.settings, workers: next.settings.workers },
          file: next.file,
          expanded: [...before.expanded.filter((path) => !isWorker(path)), ...next.expanded.filter(isWorker)],
        })
        return settingsDifference(before.settings, next.settings)
      })
      return CurrentSettings.of({ get: Ref.get(current), reload: one.withPermits(1)(reload) })
    }))
}
