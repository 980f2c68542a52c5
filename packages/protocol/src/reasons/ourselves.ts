/** What fails on our own side: nothing is issued then. */
export const OUR_REASONS = {
  "store-unavailable": {
    error: "temporarily_unavailable",
    section: "Credence, the record",
    means: "The store did not take the record, so nothing was issued.",
    mend: "Check the store: disk space, permissions, connection.",
  },
  "signer-unavailable": {
    error: "temporarily_unavailable",
    section: "Credence, keys",
    means: "The signing key could not be used, so nothing was issued.",
    mend: "Check the key store and the key-encryption key.",
  },
  "internal-fault": {
    error: "temporarily_unavailable",
    section: "Credence, fail closed",
    means: "Something failed that should not have; nothing was issued.",
    mend: "Look for the decision id in the server's log, and report it.",
  },
} as const;
