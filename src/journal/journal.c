/* SPDX-License-Identifier: Apache-2.0 */
#include "journal/journal.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "os/dirs.h"
#include "os/file.h"

enum { SCHEMA = 1, BUSY_MS = 5000, APPLICATION = 0x6164616d /* "adam" */ };

struct am_journal {
  sqlite3 *db;
  char *path;
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS file("
    " path TEXT PRIMARY KEY NOT NULL, digest TEXT, bytes INTEGER NOT NULL, device INTEGER NOT NULL,"
    " inode INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, store TEXT NOT NULL, owner TEXT, origin TEXT,"
    " noted INTEGER NOT NULL DEFAULT (CAST(strftime('%s','now') AS INTEGER))) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS file_by_identity ON file(inode, device);"
    "CREATE INDEX IF NOT EXISTS file_by_digest ON file(digest);"
    "PRAGMA application_id = 1633968493;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

static adam_status fail_sqlite(const am_journal *journal, int code, adam_error *error) {
  const char *why = journal->db ? sqlite3_errmsg(journal->db) : sqlite3_errstr(code);
  adam_status status = ADAM_IO;
  if ((code & 0xff) == SQLITE_NOMEM) return am_fail_memory(error, journal->path);
  if ((code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED) status = ADAM_UNAVAILABLE;
  if ((code & 0xff) == SQLITE_CORRUPT || (code & 0xff) == SQLITE_NOTADB) status = ADAM_DAMAGED;
  return am_fail(error, status, journal->path, NULL, "the ledger: %s", why);
}

static adam_status run(am_journal *journal, const char *sql, adam_error *error) {
  int code = sqlite3_exec(journal->db, sql, NULL, NULL, NULL);
  return code == SQLITE_OK ? ADAM_OK : fail_sqlite(journal, code, error);
}

/* The first column of the first row; `otherwise` where there is none. */
static adam_status ask(am_journal *journal, const char *sql, int64_t *value, adam_error *error) {
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2(journal->db, sql, -1, &statement, NULL);
  if (code == SQLITE_OK) code = sqlite3_step(statement);
  if (code == SQLITE_ROW) *value = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  return code == SQLITE_ROW || code == SQLITE_DONE ? ADAM_OK : fail_sqlite(journal, code, error);
}

/* A file of some other program, or rows that do not hold together, count as damaged. */
static adam_status check_contents(am_journal *journal, adam_error *error) {
  int64_t version = 0, application = 0, broken = 0;
  adam_status status = ask(journal, "PRAGMA user_version", &version, error);
  if (!status) status = ask(journal, "PRAGMA application_id", &application, error);
  if (status) return status;
  if (application == APPLICATION && version > SCHEMA)
    return am_fail(error, ADAM_UNAVAILABLE, journal->path, "use the newer adam",
                   "the ledger was made by a newer version of adam");
  int64_t n_tables = 0;
  status = ask(journal, "SELECT count(*) FROM sqlite_master", &n_tables, error);
  if (!status && n_tables > 0 && application != APPLICATION)
    return am_fail(error, ADAM_DAMAGED, journal->path, NULL, "no ledger of adam");
  if (!status && version != SCHEMA) status = run(journal, schema, error);
  if (!status)
    status = ask(journal, "SELECT count(*) FROM pragma_quick_check(1) WHERE quick_check <> 'ok'", &broken, error);
  if (!status && broken) status = am_fail(error, ADAM_DAMAGED, journal->path, NULL, "its pages do not hold together");
  return status;
}

static adam_status open_file(const char *path, am_journal **out, adam_error *error) {
  am_journal *journal = am_mem_zalloc(1, sizeof *journal);
  if (!journal || !(journal->path = am_mem_dup(path, strlen(path)))) {
    am_mem_free(journal);
    return am_fail_memory(error, path);
  }
  int code = sqlite3_open_v2(path, &journal->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX,
                             NULL);
  adam_status status = code == SQLITE_OK ? ADAM_OK : fail_sqlite(journal, code, error);
  if (!status) {
    sqlite3_busy_timeout(journal->db, BUSY_MS);
    (void)run(journal, "PRAGMA journal_mode = WAL", NULL); /* where the file system cannot, SQLite keeps to DELETE */
    (void)run(journal, "PRAGMA synchronous = NORMAL", NULL);
    status = check_contents(journal, error);
  }
  if (status)
    am_journal_close(&journal);
  else
    *out = journal;
  return status;
}

/* Moves the damaged file and what SQLite keeps beside it out of the way; nothing is thrown away but an older
 * damaged one. */
static void put_aside(const char *path) {
  static const char *const companions[] = {"-wal", "-shm", "-journal"};
  am_buf name = {0};
  if (am_buf_printf(&name, "%s.damaged", path)) (void)rename(path, name.data);
  for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
    am_buf_clear(&name);
    if (am_buf_printf(&name, "%s%s", path, companions[i])) (void)unlink(name.data);
  }
  am_buf_close(&name);
}

adam_status am_journal_open(const char *path, am_journal **out, bool *rebuilt, adam_error *error) {
  char *data = path ? NULL : am_dirs_data();
  char *own = data ? am_path_join(data, "ledger.sqlite") : NULL;
  char *folder = path ? am_path_dirname(path) : NULL;
  const char *file = path ? path : own;
  adam_status status = ADAM_OK;
  if (!file)
    status = am_fail(error, ADAM_UNAVAILABLE, "ledger", "set HOME or XDG_DATA_HOME", "there is no folder for data");
  if (!status) status = am_dir_make(path ? folder : data, error);
  bool again = false;
  if (!status) {
    adam_error why = {0};
    status = open_file(file, out, &why);
    if (status == ADAM_DAMAGED) {
      put_aside(file);
      again = true;
      status = open_file(file, out, error);
    } else if (status && error) {
      *error = why;
    }
  }
  if (!status && rebuilt) *rebuilt = again;
  am_mem_free(folder);
  am_mem_free(own);
  am_mem_free(data);
  return status;
}

void am_journal_close(am_journal **journal) {
  if (!journal || !*journal) return;
  sqlite3_close_v2((*journal)->db);
  am_mem_free((*journal)->path);
  am_mem_free(*journal);
  *journal = NULL;
}

static int bind_text(sqlite3_stmt *statement, int at, const char *text) {
  return text ? sqlite3_bind_text(statement, at, text, -1, SQLITE_TRANSIENT) : sqlite3_bind_null(statement, at);
}

adam_status am_journal_note(am_journal *journal, const am_journal_record *record, adam_error *error) {
  static const char sql[] =
      "INSERT INTO file(path,digest,bytes,device,inode,mtime_ns,store,owner,origin) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)"
      " ON CONFLICT(path) DO UPDATE SET"
      " digest=coalesce(excluded.digest, CASE WHEN bytes=excluded.bytes AND device=excluded.device AND"
      "  inode=excluded.inode AND mtime_ns=excluded.mtime_ns THEN digest END),"
      " bytes=excluded.bytes, device=excluded.device, inode=excluded.inode, mtime_ns=excluded.mtime_ns,"
      " store=excluded.store, owner=coalesce(excluded.owner, owner), origin=coalesce(excluded.origin, origin),"
      " noted=CAST(strftime('%s','now') AS INTEGER)";
  sqlite3_stmt *s = NULL;
  if (!journal) return ADAM_OK;
  int code = sqlite3_prepare_v2(journal->db, sql, -1, &s, NULL);
  if (code == SQLITE_OK) {
    bind_text(s, 1, record->path);
    bind_text(s, 2, record->digest);
    sqlite3_bind_int64(s, 3, (int64_t)record->bytes);
    sqlite3_bind_int64(s, 4, (int64_t)record->device);
    sqlite3_bind_int64(s, 5, (int64_t)record->inode);
    sqlite3_bind_int64(s, 6, (int64_t)record->mtime_ns);
    bind_text(s, 7, record->store ? record->store : "");
    bind_text(s, 8, record->owner);
    bind_text(s, 9, record->origin);
    code = sqlite3_step(s);
  }
  adam_status status = code == SQLITE_DONE ? ADAM_OK : fail_sqlite(journal, code, error);
  sqlite3_finalize(s);
  return status;
}

static bool is_digest(const char *text) {
  return text && strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

bool am_journal_digest(am_journal *journal, uint64_t device, uint64_t inode, uint64_t bytes, uint64_t mtime_ns,
                       char digest[65]) {
  static const char sql[] =
      "SELECT digest FROM file WHERE inode=?1 AND device=?2 AND bytes=?3 AND mtime_ns=?4 AND digest IS NOT NULL LIMIT 1";
  sqlite3_stmt *s = NULL;
  bool found = false;
  if (!journal || sqlite3_prepare_v2(journal->db, sql, -1, &s, NULL) != SQLITE_OK) return false;
  sqlite3_bind_int64(s, 1, (int64_t)inode);
  sqlite3_bind_int64(s, 2, (int64_t)device);
  sqlite3_bind_int64(s, 3, (int64_t)bytes);
  sqlite3_bind_int64(s, 4, (int64_t)mtime_ns);
  if (sqlite3_step(s) == SQLITE_ROW) {
    const char *text = (const char *)sqlite3_column_text(s, 0);
    found = is_digest(text);
    if (found) memcpy(digest, text, 65);
  }
  sqlite3_finalize(s);
  return found;
}

static char *column(sqlite3_stmt *statement, int at) {
  const char *text = (const char *)sqlite3_column_text(statement, at);
  return text && *text ? am_mem_dup(text, strlen(text)) : NULL;
}

bool am_journal_past_of(am_journal *journal, const char *path, am_journal_past *out) {
  sqlite3_stmt *s = NULL;
  bool found = false;
  if (!journal ||
      sqlite3_prepare_v2(journal->db, "SELECT owner, origin FROM file WHERE path=?1", -1, &s, NULL) != SQLITE_OK)
    return false;
  bind_text(s, 1, path);
  if (sqlite3_step(s) == SQLITE_ROW) {
    *out = (am_journal_past){column(s, 0), column(s, 1)};
    found = true;
  }
  sqlite3_finalize(s);
  return found;
}

void am_journal_past_close(am_journal_past *past) {
  am_mem_free(past->owner);
  am_mem_free(past->origin);
  *past = (am_journal_past){0};
}

adam_status am_journal_forget(am_journal *journal, const char *path, adam_error *error) {
  sqlite3_stmt *s = NULL;
  if (!journal) return ADAM_OK;
  int code = sqlite3_prepare_v2(journal->db, "DELETE FROM file WHERE path=?1", -1, &s, NULL);
  if (code == SQLITE_OK) {
    bind_text(s, 1, path);
    code = sqlite3_step(s);
  }
  adam_status status = code == SQLITE_DONE ? ADAM_OK : fail_sqlite(journal, code, error);
  sqlite3_finalize(s);
  return status;
}

adam_status am_journal_each(am_journal *journal, const char *digest, am_journal_on_record on_record, void *user,
                            adam_error *error) {
  static const char sql[] =
      "SELECT path,digest,bytes,device,inode,mtime_ns,store,owner,origin FROM file"
      " WHERE ?1 IS NULL OR digest=?1 ORDER BY path";
  sqlite3_stmt *s = NULL;
  if (!journal) return ADAM_OK;
  int code = sqlite3_prepare_v2(journal->db, sql, -1, &s, NULL);
  if (code == SQLITE_OK) {
    bind_text(s, 1, digest);
    while ((code = sqlite3_step(s)) == SQLITE_ROW) {
      const am_journal_record record = {.path = (const char *)sqlite3_column_text(s, 0),
                                        .digest = (const char *)sqlite3_column_text(s, 1),
                                        .bytes = (uint64_t)sqlite3_column_int64(s, 2),
                                        .device = (uint64_t)sqlite3_column_int64(s, 3),
                                        .inode = (uint64_t)sqlite3_column_int64(s, 4),
                                        .mtime_ns = (uint64_t)sqlite3_column_int64(s, 5),
                                        .store = (const char *)sqlite3_column_text(s, 6),
                                        .owner = (const char *)sqlite3_column_text(s, 7),
                                        .origin = (const char *)sqlite3_column_text(s, 8)};
      if (!record.path || !record.store) continue;
      if (on_record(user, &record)) break;
    }
  }
  adam_status status =
      code == SQLITE_DONE || code == SQLITE_ROW ? ADAM_OK : fail_sqlite(journal, code, error);
  sqlite3_finalize(s);
  return status;
}

void am_journal_begin(am_journal *journal) {
  if (journal) (void)run(journal, "BEGIN IMMEDIATE", NULL);
}

void am_journal_end(am_journal *journal) {
  if (journal) (void)run(journal, "COMMIT", NULL);
}
