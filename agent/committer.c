/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue, a lock and a thread. What one change is, and what has to be true for it, is in
 * token_commit.c.
 */
#include "committer.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "token_private.h"

#define GROUP_MAX 256u

struct committer {
	struct store *store;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t work;
	struct token_commit *first, **last;
	unsigned int waiting;
	bool stopping;
	_Atomic uint64_t changes, groups;
	pthread_t thread;
};

/* The changes of one transaction, and the tokens that they are of, whose `change` is held. */
struct group {
	struct token_commit *commits[GROUP_MAX];
	size_t count;
	struct token *tokens[GROUP_MAX];
	size_t token_count;
};

/* Is what it changes being changed by one of the group? That one has to be published first. */
static bool conflicts(const struct group *group, const struct token_commit *commit)
{
	for (size_t i = 0; i < group->count; i++) {
		if (token_commits_conflict(group->commits[i], commit))
			return true;
	}
	return false;
}

/* Takes what waits, in its order, as far as it can go together. False when the thread ends. */
static bool take(struct committer *committer, struct group *group)
{
	struct token_commit *commit;

	group->count = group->token_count = 0;
	pthread_mutex_lock(&committer->lock);
	while (!committer->first && !committer->stopping)
		pthread_cond_wait(&committer->work, &committer->lock);
	while ((commit = committer->first) && group->count < GROUP_MAX &&
	       !conflicts(group, commit)) {
		group->commits[group->count++] = commit;
		committer->first = commit->next;
		committer->waiting--;
	}
	if (!committer->first)
		committer->last = &committer->first;
	pthread_mutex_unlock(&committer->lock);
	return group->count > 0;
}

static bool holds(const struct group *group, const struct token *token)
{
	for (size_t i = 0; i < group->token_count; i++) {
		if (group->tokens[i] == token)
			return true;
	}
	return false;
}

/* Nobody else holds `change` of two tokens, so the order is of no matter. */
static void lock_tokens(struct group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		struct token *token = group->commits[i]->token;

		if (holds(group, token))
			continue;
		pthread_mutex_lock(&token->change);
		group->tokens[group->token_count++] = token;
	}
}

static void unlock_tokens(struct group *group)
{
	while (group->token_count)
		pthread_mutex_unlock(&group->tokens[--group->token_count]->change);
}

/* Those that may be, in one transaction; then memory follows. */
static void carry_out(struct committer *committer, struct group *group)
{
	struct store_change *changes[GROUP_MAX];
	size_t count = 0;

	for (size_t i = 0; i < group->count; i++) {
		struct store_change *change = &group->commits[i]->change;

		change->err = token_commit_check(group->commits[i]);
		if (!change->err)
			changes[count++] = change;
	}
	if (count)
		store_change_group(committer->store, changes, count);
	for (size_t i = 0; i < group->count; i++)
		token_commit_publish(group->commits[i]);
}

static void *run(void *argument)
{
	struct committer *committer = argument;
	struct group group;

	while (take(committer, &group)) {
		lock_tokens(&group);
		carry_out(committer, &group);
		unlock_tokens(&group);
		atomic_fetch_add(&committer->changes, group.count);
		atomic_fetch_add(&committer->groups, 1);
		for (size_t i = 0; i < group.count; i++)
			token_commit_end(group.commits[i]);
	}
	OPENSSL_thread_stop();
	return NULL;
}

static void destroy(struct committer *committer)
{
	pthread_cond_destroy(&committer->work);
	pthread_mutex_destroy(&committer->lock);
	free(committer);
}

int committer_start(struct committer **out, struct store *store)
{
	struct committer *committer = calloc(1, sizeof(*committer));
	int error;

	if (!committer)
		return -1;
	committer->store = store;
	committer->last = &committer->first;
	pthread_mutex_init(&committer->lock, NULL);
	pthread_cond_init(&committer->work, NULL);
	error = pthread_create(&committer->thread, NULL, run, committer);
	if (error) {
		destroy(committer);
		errno = error;
		return -1;
	}
	*out = committer;
	return 0;
}

void committer_add(struct committer *committer, struct token_commit *commit)
{
	commit->next = NULL;
	pthread_mutex_lock(&committer->lock);
	*committer->last = commit;
	committer->last = &commit->next;
	committer->waiting++;
	pthread_cond_signal(&committer->work);
	pthread_mutex_unlock(&committer->lock);
}

void committer_stop(struct committer *committer)
{
	if (!committer)
		return;
	pthread_mutex_lock(&committer->lock);
	committer->stopping = true;
	pthread_cond_signal(&committer->work);
	pthread_mutex_unlock(&committer->lock);
	pthread_join(committer->thread, NULL);
	destroy(committer);
}

unsigned int committer_waiting(struct committer *committer)
{
	unsigned int waiting;

	if (!committer)
		return 0;
	pthread_mutex_lock(&committer->lock);
	waiting = committer->waiting;
	pthread_mutex_unlock(&committer->lock);
	return waiting;
}

void committer_statistics(struct committer *committer, struct committer_statistics *statistics)
{
	*statistics = (struct committer_statistics){0};
	if (!committer)
		return;
	statistics->changes = atomic_load(&committer->changes);
	statistics->groups = atomic_load(&committer->groups);
}
