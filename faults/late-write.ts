import { type Compare, type Etcd, ObservedEtcd, type Op, RegistryError, type TxnResult } from "@fleet/registry";

/** A transaction as it was sent. */
interface Sent {
  readonly compares: readonly Compare[];
  readonly ops: readonly Op[];
}

/**
 * An etcd to which the first write of a client hangs: its sender hears of a time-out, and it arrives when it is let go,
 * as with a connection that was cut off in the middle of it.
 */
export class LateWrite extends ObservedEtcd {
  readonly #etcd: Etcd;
  readonly #isCarriedOut: boolean;
  #sent: Sent | null = null;

  /** @param isCarriedOut true: etcd has carried it out at once, only the answer was lost, and it comes once more */
  constructor(etcd: Etcd, isCarriedOut: boolean) {
    super(etcd, () => undefined);
    this.#etcd = etcd;
    this.#isCarriedOut = isCarriedOut;
  }

  override async txn(compares: readonly Compare[], ops: readonly Op[], otherwise?: readonly Op[]): Promise<TxnResult> {
    if (ops.every((op) => "get" in op)) return super.txn(compares, ops, otherwise);
    this.#sent = { compares, ops };
    if (this.#isCarriedOut) await super.txn(compares, ops, otherwise);
    throw new RegistryError("timeout", "the write hangs");
  }

  /**
   * Lets the write arrive.
   *
   * @returns whether etcd has carried it out by that; null: there was none
   */
  async arrive(): Promise<boolean | null> {
    if (this.#sent === null) return null;
    const { succeeded } = await this.#etcd.txn(this.#sent.compares, this.#sent.ops);
    return succeeded;
  }
}
