// The proxy's routes, kept in a file: a proxy that was killed knows them again at once, also while the hub is away.
// See `--storage-backend` of configurable-http-proxy. Activity is not kept; the hub asks for it and keeps it itself.
"use strict";

const fs = require("node:fs");
const { MemoryStore } = require("configurable-http-proxy/lib/store.js");

class FileStore extends MemoryStore {
  constructor() {
    super();
    this.file = process.env.NAAS_PROXY_ROUTES;
    if (fs.existsSync(this.file)) {
      for (const [path, data] of Object.entries(JSON.parse(fs.readFileSync(this.file, "utf8")))) {
        super.add(path, { ...data, last_activity: new Date(data.last_activity) });
      }
    }
  }

  save(answer) {
    const temporary = `${this.file}~`;
    fs.writeFileSync(temporary, JSON.stringify(this.routes), { mode: 0o600 });
    fs.renameSync(temporary, this.file);
    return answer;
  }

  add(path, data) {
    return this.save(super.add(path, data));
  }

  remove(path) {
    return this.save(super.remove(path));
  }
}

module.exports = FileStore;
