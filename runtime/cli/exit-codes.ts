/** How the command ends; shown by --help. */
export const EXIT = {
  finished: 0,
  /** The job or its program failed. */
  failed: 1,
  /** An argument or a configuration value is wrong. */
  usage: 2,
  /** `check`: the job cannot go on from the checkpoint or savepoint. */
  misfit: 3,
  /** `jobmanager`: another leads the cluster; start it again to stand by. */
  deposed: 4,
  /** By Ctrl-C, SIGTERM, REST or the page. */
  cancelled: 130,
  /** Nobody reads the output any more. */
  brokenPipe: 141,
} as const
