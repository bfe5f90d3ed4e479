import type { Config } from "@fleet/config";
import type { LinkServer } from "@fleet/link";
import type { Registry } from "@fleet/registry";
import type { Logger } from "pino";
import { ownAddress } from "./own-address.ts";

/** Between two looks for calls with disable_watches: as often as an agent then looks at its schedule. */
const POLL_MS = 1_000;

/**
 * Opens the API's end of the link where it is configured; null: it is not.
 *
 * @throws Error where the port can't be opened
 */
export async function openLink(config: Config, registry: Registry, log: Logger): Promise<LinkServer | null> {
  if (config.link === null) return null;
  const { listen, advertise } = config.link;
  const { LinkServer } = await import("@fleet/link");
  const host = advertise.host ?? (await ownAddress());
  // With none agents would call nobody, and every question would go unanswered.
  if (host === null)
    throw new Error("link_listen: this machine has no address to tell agents: set link_advertise or public_ip");
  const server = new LinkServer({ registry, log: plain(log), listen, advertise: { ...advertise, host } });
  try {
    const port = await server.start();
    log.info({ host: listen.host, port, advertised: host }, "the API's end of the link is open for agents");
    return server;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`link_listen: ${listen.host}, port ${listen.port}, can't be opened: ${reason}`, { cause: error });
  }
}

/**
 * Has the agent answer what APIs ask over the link.
 *
 * @returns ends that
 */
export async function answerQuestions(
  machineID: string,
  { unitsDirectory, systemdUser, disableWatches }: Config,
  registry: Registry,
  log: Logger,
): Promise<() => Promise<void>> {
  const [{ LinkAnswerer }, { agentVerbs }] = await Promise.all([import("@fleet/link"), import("@fleet/agent")]);
  const verbs = agentVerbs({ registry, unitsDirectory, isUser: systemdUser });
  const stopping = new AbortController();
  const answerer = new LinkAnswerer({
    ...{ registry, log: plain(log), machineID, verbs },
    pollMs: disableWatches ? POLL_MS : null,
  });
  const running = answerer.run(stopping.signal);
  running.catch((error: unknown) => log.error({ err: error }, "the agent's end of the link failed unexpectedly"));
  return async () => {
    stopping.abort();
    await running.catch(() => undefined);
  };
}

/** What the link needs of a log. */
function plain(log: Logger): { debug(message: string): void; warn(message: string): void } {
  return { debug: (message) => log.debug(message), warn: (message) => log.warn(message) };
}
