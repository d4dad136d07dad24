/** Where the server is. Another address must be in the `host_permissions` of manifest.json too. */
export const SERVER = 'http://localhost:3003';

/** What `semantest-server token create NAME` printed, for a server that asks who polls; none for one on this machine. */
export const TOKEN = '';

/** How often the extension wakes up, in minutes. Chrome allows packed extensions no less than 0.5. */
export const ALARM_MINUTES = 0.5;
