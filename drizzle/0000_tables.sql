CREATE TABLE `audit` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`actor` text NOT NULL,
	`action` text NOT NULL,
	`task_id` integer,
	`job_id` text,
	`detail` text NOT NULL,
	`uid` text
);
--> statement-breakpoint
CREATE INDEX `audit_job` ON `audit` (`job_id`) WHERE job_id IS NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `audit_uid` ON `audit` (`uid`) WHERE uid IS NOT NULL;--> statement-breakpoint
CREATE TABLE `comments` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`task_id` integer NOT NULL,
	`job_id` text,
	`author` text NOT NULL,
	`kind` text NOT NULL,
	`body` text NOT NULL,
	`mode` text,
	`created_at` integer NOT NULL,
	`injected_at` integer,
	`uid` text,
	CONSTRAINT "comments_author" CHECK(author = 'user' OR author = 'agent' OR author = 'system'),
	CONSTRAINT "comments_kind" CHECK(kind = 'message' OR kind = 'ask' OR kind = 'result' OR kind = 'progress' OR kind = 'event'),
	CONSTRAINT "comments_mode" CHECK(mode IS NULL OR mode = 'steer' OR mode = 'queue' OR mode = 'interrupt')
);
--> statement-breakpoint
CREATE INDEX `comments_task` ON `comments` (`task_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `comments_uid` ON `comments` (`uid`) WHERE uid IS NOT NULL;--> statement-breakpoint
CREATE TABLE `events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`task_id` integer NOT NULL,
	`job_id` text NOT NULL,
	`at` integer NOT NULL,
	`event` text NOT NULL,
	`data` text NOT NULL,
	`uid` text
);
--> statement-breakpoint
CREATE INDEX `events_task` ON `events` (`task_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `events_uid` ON `events` (`uid`) WHERE uid IS NOT NULL;--> statement-breakpoint
CREATE TABLE `jobs` (
	`id` text PRIMARY KEY NOT NULL,
	`task_id` integer NOT NULL,
	`parent_job_id` text,
	`continued_from_job_id` text,
	`kind` text NOT NULL,
	`status` text NOT NULL,
	`piece` text NOT NULL,
	`piece_hash` text NOT NULL,
	`required_role` text NOT NULL,
	`required_model` text,
	`lock_key` integer,
	`queue_key` integer NOT NULL,
	`attempt` integer DEFAULT 1 NOT NULL,
	`max_attempts` integer NOT NULL,
	`next_retry_at` integer,
	`error_summary` text,
	`abort_reason` text,
	`wait_reason` text,
	`resume_movement` text,
	`current_movement` text,
	`current_activity` text,
	`ask_count` integer DEFAULT 0 NOT NULL,
	`subtask_depth` integer DEFAULT 0 NOT NULL,
	`give_backs` integer DEFAULT 0 NOT NULL,
	`worker_id` text,
	`node_id` text,
	`fence` integer DEFAULT 0 NOT NULL,
	`lease_expires_at` integer,
	`last_backend_id` text,
	`context_used_tokens` integer DEFAULT 0 NOT NULL,
	`context_limit_tokens` integer DEFAULT 0 NOT NULL,
	`prompt_tokens` integer DEFAULT 0 NOT NULL,
	`completion_tokens` integer DEFAULT 0 NOT NULL,
	`cached_tokens` integer DEFAULT 0 NOT NULL,
	`llm_calls` integer DEFAULT 0 NOT NULL,
	`tool_calls` integer DEFAULT 0 NOT NULL,
	`result` text,
	`created_at` integer NOT NULL,
	`started_at` integer,
	`finished_at` integer,
	`moved_at` integer NOT NULL,
	`moved_by` text NOT NULL,
	`move` text NOT NULL,
	`move_detail` text NOT NULL,
	`move_id` text,
	CONSTRAINT "jobs_status" CHECK(status = 'queued' OR status = 'running' OR status = 'retry' OR status = 'waiting_human' OR status = 'waiting_subtasks' OR status = 'succeeded' OR status = 'failed' OR status = 'cancelled'),
	CONSTRAINT "jobs_kind" CHECK(kind = 'agent' OR kind = 'reflection'),
	CONSTRAINT "jobs_abort_reason" CHECK(abort_reason IS NULL OR abort_reason = 'abort' OR abort_reason = 'loop' OR abort_reason = 'budget' OR abort_reason = 'max_turns' OR abort_reason = 'max_movements' OR abort_reason = 'timeout' OR abort_reason = 'no_transition' OR abort_reason = 'rule_error' OR abort_reason = 'rule_no_match' OR abort_reason = 'context' OR abort_reason = 'unknown_piece' OR abort_reason = 'settings' OR abort_reason = 'profile' OR abort_reason = 'llm_error' OR abort_reason = 'cancelled' OR abort_reason = 'worker_exception'),
	CONSTRAINT "jobs_wait_reason" CHECK(wait_reason IS NULL OR wait_reason = 'question' OR wait_reason = 'approval' OR wait_reason = 'quarantined' OR wait_reason = 'mcp_auth_required' OR wait_reason = 'model' OR wait_reason = 'role' OR wait_reason = 'lock' OR wait_reason = 'backoff' OR wait_reason = 'give_backs' OR wait_reason = 'take_over'),
	CONSTRAINT "jobs_running" CHECK((status = 'running') = (lease_expires_at IS NOT NULL) AND (status <> 'running' OR (worker_id IS NOT NULL AND node_id IS NOT NULL))),
	CONSTRAINT "jobs_started" CHECK(status <> 'running' OR (started_at IS NOT NULL AND fence >= 1)),
	CONSTRAINT "jobs_finished" CHECK((status = 'succeeded' OR status = 'failed' OR status = 'cancelled') = (finished_at IS NOT NULL)),
	CONSTRAINT "jobs_retry_time" CHECK((status = 'retry') = (next_retry_at IS NOT NULL)),
	CONSTRAINT "jobs_waiting_human" CHECK(status <> 'waiting_human' OR wait_reason IS NOT NULL),
	CONSTRAINT "jobs_failed" CHECK(status <> 'failed' OR abort_reason IS NOT NULL OR error_summary IS NOT NULL),
	CONSTRAINT "jobs_succeeded" CHECK(status <> 'succeeded' OR (result IS NOT NULL AND abort_reason IS NULL AND error_summary IS NULL)),
	CONSTRAINT "jobs_attempts" CHECK(attempt BETWEEN 1 AND max_attempts),
	CONSTRAINT "jobs_counts" CHECK(fence >= 0 AND ask_count >= 0 AND give_backs >= 0 AND subtask_depth >= 0)
);
--> statement-breakpoint
CREATE INDEX `jobs_task` ON `jobs` (`task_id`);--> statement-breakpoint
CREATE INDEX `jobs_parent` ON `jobs` (`parent_job_id`) WHERE parent_job_id IS NOT NULL;--> statement-breakpoint
CREATE INDEX `jobs_queue` ON `jobs` (`required_role`,`queue_key`,`created_at`) WHERE status = 'queued';--> statement-breakpoint
CREATE INDEX `jobs_retry` ON `jobs` (`next_retry_at`,`required_role`,`queue_key`,`created_at`) WHERE status = 'retry';--> statement-breakpoint
CREATE UNIQUE INDEX `jobs_lock` ON `jobs` (`lock_key`) WHERE status = 'running';--> statement-breakpoint
CREATE INDEX `jobs_lease` ON `jobs` (`lease_expires_at`) WHERE status = 'running';--> statement-breakpoint
CREATE INDEX `jobs_attention` ON `jobs` (`status`,`task_id`) WHERE status = 'waiting_human' OR status = 'waiting_subtasks' OR status = 'failed' OR status = 'cancelled';--> statement-breakpoint
CREATE TABLE `journal` (
	`job_id` text NOT NULL,
	`seq` integer NOT NULL,
	`fence` integer NOT NULL,
	`attempt` integer NOT NULL,
	`at` integer NOT NULL,
	`kind` text NOT NULL,
	`data` text NOT NULL,
	PRIMARY KEY(`job_id`, `seq`),
	CONSTRAINT "journal_seq" CHECK(seq >= 1 AND fence >= 1 AND attempt >= 1)
);
--> statement-breakpoint
CREATE TABLE `nodes` (
	`id` text PRIMARY KEY NOT NULL,
	`url` text NOT NULL,
	`version` text NOT NULL,
	`started_at` integer NOT NULL,
	`last_seen_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `piece_texts` (
	`hash` text PRIMARY KEY NOT NULL,
	`text` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `pieces` (
	`owner` text NOT NULL,
	`name` text NOT NULL,
	`text` text NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`owner`, `name`)
);
--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`title` text NOT NULL,
	`instruction` text NOT NULL,
	`piece` text NOT NULL,
	`role` text NOT NULL,
	`priority` text NOT NULL,
	`output_format` text NOT NULL,
	`ask_policy` text NOT NULL,
	`options` text NOT NULL,
	`visibility` text NOT NULL,
	`owner` text NOT NULL,
	`idempotency_key` text,
	`workspace` text NOT NULL,
	`notice` text,
	`mission_brief` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	CONSTRAINT "tasks_priority" CHECK(priority = 'low' OR priority = 'medium' OR priority = 'high'),
	CONSTRAINT "tasks_output_format" CHECK(output_format = 'text' OR output_format = 'markdown' OR output_format = 'json'),
	CONSTRAINT "tasks_ask_policy" CHECK(ask_policy = 'low' OR ask_policy = 'high'),
	CONSTRAINT "tasks_visibility" CHECK(visibility = 'private' OR visibility = 'org' OR visibility = 'public')
);
--> statement-breakpoint
CREATE UNIQUE INDEX `tasks_idempotency` ON `tasks` (`owner`,`idempotency_key`) WHERE idempotency_key IS NOT NULL;--> statement-breakpoint
CREATE TABLE `workers` (
	`node_id` text NOT NULL,
	`id` text NOT NULL,
	`endpoint` text NOT NULL,
	`enabled` integer NOT NULL,
	`healthy` integer NOT NULL,
	`claims` integer NOT NULL,
	`roles` text NOT NULL,
	`models` text NOT NULL,
	`inflight` integer NOT NULL,
	`max_concurrency` integer NOT NULL,
	`context_limit_tokens` integer,
	`last_error` text,
	`last_seen_at` integer NOT NULL,
	PRIMARY KEY(`node_id`, `id`)
);
