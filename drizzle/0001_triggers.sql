-- Every change of a job's status writes its event and its audit entry, whichever statement made it; the move_* columns
-- say who did it and why. A job that ends also tells its result, and one that succeeded posts it as a comment.
CREATE TRIGGER jobs_enqueued AFTER INSERT ON jobs BEGIN
  INSERT INTO events (task_id, job_id, at, event, data)
    VALUES (NEW.task_id, NEW.id, NEW.moved_at, 'status', json_object('status', NEW.status, 'worker_id', NULL, 'attempt', NEW.attempt, 'reason', NEW.wait_reason));
  INSERT INTO audit (at, actor, action, task_id, job_id, detail)
    VALUES (NEW.moved_at, NEW.moved_by, NEW.move, NEW.task_id, NEW.id, NEW.move_detail);
END;
--> statement-breakpoint
-- A claimed job is announced as running by its run, with the first journal entry, once it is past all gates.
CREATE TRIGGER jobs_moved AFTER UPDATE OF status ON jobs WHEN OLD.status <> NEW.status BEGIN
  INSERT INTO comments (task_id, job_id, author, kind, body, created_at)
    SELECT NEW.task_id, NEW.id, 'agent', 'result', NEW.result, NEW.moved_at WHERE NEW.status = 'succeeded';
  INSERT INTO events (task_id, job_id, at, event, data)
    SELECT NEW.task_id, NEW.id, NEW.moved_at, 'status', json_object('status', NEW.status, 'worker_id', NEW.worker_id, 'attempt', NEW.attempt, 'reason', coalesce(NEW.wait_reason, NEW.abort_reason)) WHERE NEW.status <> 'running';
  INSERT INTO events (task_id, job_id, at, event, data)
    SELECT NEW.task_id, NEW.id, NEW.moved_at, 'done', json_object('status', NEW.status, 'result', NEW.result) WHERE NEW.finished_at IS NOT NULL;
  INSERT INTO audit (at, actor, action, task_id, job_id, detail)
    VALUES (NEW.moved_at, NEW.moved_by, NEW.move, NEW.task_id, NEW.id, NEW.move_detail);
END;
--> statement-breakpoint
-- Messages are told as they are posted. The other kinds have an event of their own: a result is told by `done`, a
-- question by `ask`, progress by `tool_result` and `movement_complete`.
CREATE TRIGGER comments_posted AFTER INSERT ON comments WHEN NEW.kind = 'message' OR NEW.kind = 'event' BEGIN
  INSERT INTO events (task_id, job_id, at, event, data)
    SELECT NEW.task_id, coalesce(NEW.job_id, (SELECT id FROM jobs WHERE task_id = NEW.task_id AND parent_job_id IS NULL ORDER BY rowid DESC LIMIT 1), ''), NEW.created_at, 'comment',
      json_object('comment_id', NEW.id, 'author', NEW.author, 'kind', NEW.kind, 'body', NEW.body);
END;
--> statement-breakpoint
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
--> statement-breakpoint
CREATE TRIGGER audit_never_shrinks BEFORE DELETE ON audit BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
