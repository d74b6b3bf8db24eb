// What the function is told from outside: where the project is, its keys, and how much one invocation may do.

export interface Settings {
  url: string;
  anonKey: string;
  serviceKey: string;
  /** Where this function itself is reached, to go on with the next stretch. */
  functionUrl: string;
  /** Bytes checked in one invocation at most. */
  unitBytes: number;
  /** Milliseconds of checking in one invocation; reading, hashing and saving come on top. */
  budgetMs: number;
  /** A run that has not saved for so long is taken for dead. Longer than an invocation may last. */
  leaseS: number;
}

const MIB = 1024 * 1024;

export function settingsFrom(read: (name: string) => string | undefined): Settings {
  const required = (name: string) => {
    const value = read(name);
    if (!value) throw new Error(`${name} is not set`);
    return value;
  };
  const number = (name: string, otherwise: number) => {
    const value = Number(read(name) ?? otherwise);
    if (!(value > 0)) throw new Error(`${name} must be a number above 0`);
    return value;
  };
  const url = required("SUPABASE_URL").replace(/\/+$/, "");
  return {
    url,
    anonKey: required("SUPABASE_ANON_KEY"),
    serviceKey: required("SUPABASE_SERVICE_ROLE_KEY"),
    functionUrl: read("VALIDATE_DATASET_URL") || `${url}/functions/v1/validate-dataset`,
    unitBytes: number("VALIDATE_DATASET_UNIT_BYTES", 32 * MIB),
    budgetMs: number("VALIDATE_DATASET_BUDGET_MS", 1000),
    leaseS: number("VALIDATE_DATASET_LEASE_S", 180),
  };
}
