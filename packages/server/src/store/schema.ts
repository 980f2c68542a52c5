/**
 * The tables, as portable SQL has them: text, whole numbers and doubles (times, in seconds), no database's own types.
 */
export interface Tables {
  single_use: { kind: string; key: string; expires_at: number };
  organization: { id: number; revision: number; document: string };
  people: { id: string; email: string; document: string };
  agents: { id: string; document: string };
  apps: { id: string; issuer: string; document: string };
  app_names: { id: string; app: string; document: string };
  connections: { id: string; agent: string; app: string; document: string };
  artifacts: {
    model: string;
    key: string;
    uid: string | null;
    grant_id: string | null;
    subject: string | null;
    payload: string;
    expires_at: number | null;
    consumed_at: number | null;
  };
  factors: {
    kind: string;
    key: string;
    person: string;
    payload: string;
    counter: number;
    created_at: number;
    used_at: number | null;
  };
  attempts: {
    kind: string;
    key: string;
    failures: number;
    blocked_until: number;
    last_at: number;
    expires_at: number;
  };
  keys: {
    kid: string;
    use: string;
    alg: string;
    state: string;
    public_jwk: string;
    sealed_private_jwk: string;
    created_at: number;
    activated_at: number | null;
    retiring_at: number | null;
    ends_at: number | null;
  };
  key_ring: { id: number; revision: number; wrapped_by: string | null; wrapped_data_key: string | null };
  audit_events: { writer: string; seq: number; hash: string; payload: string; personal: string };
  audit_writers: { position: number; writer: string; started_at: number; signature: string };
  audit_heads: { writer: string; seq: number; hash: string; signed_at: number; signature: string };
}

/** The organization is one row beside the rows of what it holds. */
export const ORGANIZATION_ROW = 1;

/** So are the keys: one row says at which revision they are, and by what they are sealed. */
export const KEY_RING_ROW = 1;
