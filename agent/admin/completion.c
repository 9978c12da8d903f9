/* SPDX-License-Identifier: Apache-2.0 */
/*
 * craton-hsm-admin completion and manual: the shells' completion scripts and the manual page, from
 * the tables of verbs and options.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

static bool is_secret(const struct command_option *option)
{
	size_t len = strlen(option->name);

	return len > 5 && !strcmp(option->name + len - 5, "-file");
}

/* What completes an option's argument. */
static bool takes_file(const struct command_option *option)
{
	static const char *const files[] = {"socket", "output", "module", "device"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!strcmp(files[i], option->name))
			return true;
	}
	return is_secret(option);
}

static void print_verb(const struct command_verb *verb, char between)
{
	fputs(verb->words[0], stdout);
	if (verb->words[1])
		printf("%c%s", between, verb->words[1]);
}

/* The first words, each once: verbs of one first word stand together. */
static bool begins_group(size_t i)
{
	return !i || strcmp(command_verbs[i].words[0], command_verbs[i - 1].words[0]) != 0;
}

/* ---- bash ---- */

static void print_bash_options(const struct command_verb *verb)
{
	for (size_t i = 0; i < command_option_count; i++) {
		if (command_takes(verb, &command_options[i]))
			printf(" --%s", command_options[i].name);
	}
}

static void print_bash(void)
{
	puts("# bash completion of craton-hsm-admin; made by craton-hsm-admin completion bash\n"
	     "_craton_hsm_admin() {\n"
	     "\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} verb= i\n"
	     "\tlocal -a words=()\n"
	     "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	     "\t\t[[ ${COMP_WORDS[i]} == -* ]] || words+=(\"${COMP_WORDS[i]}\")\n"
	     "\tdone\n"
	     "\tcase $previous in");
	for (size_t i = 0; i < command_option_count; i++) {
		if (takes_file(&command_options[i]))
			printf("\t--%s) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return "
			       ";;\n",
			       command_options[i].name);
	}
	puts("\tesac\n"
	     "\tcase \"${words[*]:0:2}\" in");
	for (size_t i = 0; i < command_verb_count; i++) {
		fputs("\t\"", stdout);
		print_verb(&command_verbs[i], ' ');
		printf("\"*) verb='");
		print_bash_options(&command_verbs[i]);
		puts("' ;;");
	}
	for (size_t i = 0; i < command_verb_count; i++) {
		if (!command_verbs[i].words[1] || !begins_group(i))
			continue;
		printf("\t\"%s\"*) mapfile -t COMPREPLY < <(compgen -W '",
		       command_verbs[i].words[0]);
		for (size_t k = i; k < command_verb_count && (k == i || !begins_group(k)); k++)
			printf("%s ", command_verbs[k].words[1]);
		puts("' -- \"$word\"); return ;;");
	}
	fputs("\t*) mapfile -t COMPREPLY < <(compgen -W '--json --socket --help --version", stdout);
	for (size_t i = 0; i < command_verb_count; i++) {
		if (begins_group(i))
			printf(" %s", command_verbs[i].words[0]);
	}
	puts("' -- \"$word\"); return ;;\n"
	     "\tesac\n"
	     "\tif [[ $word == -* ]]; then\n"
	     "\t\tmapfile -t COMPREPLY < <(compgen -W \"$verb\" -- \"$word\")\n"
	     "\telse\n"
	     "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
	     "\tfi\n"
	     "}\n"
	     "complete -o filenames -F _craton_hsm_admin craton-hsm-admin");
}

/* ---- zsh ---- */

/* Text inside single quotes; colons and brackets mean something to _arguments. */
static void print_zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr(":[]\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void print_zsh_options(const struct command_verb *verb)
{
	for (size_t i = 0; i < command_option_count; i++) {
		const struct command_option *option = &command_options[i];

		if (!command_takes(verb, option))
			continue;
		printf(" \\\n\t\t\t'--%s%s[", option->name, option->kind == OPTION_TEXT ? "=" : "");
		print_zsh_text(option->help);
		putchar(']');
		if (option->kind == OPTION_TEXT)
			printf(":%s:%s", option->argument, takes_file(option) ? "_files" : "");
		putchar('\'');
	}
	fputs(" '*:file:_files'", stdout);
}

static void print_zsh_group(size_t first)
{
	printf("\t%s)\n\t\tif (( CURRENT == 3 )); then _values verb",
	       command_verbs[first].words[0]);
	for (size_t k = first; k < command_verb_count && (k == first || !begins_group(k)); k++) {
		printf(" '%s[", command_verbs[k].words[1]);
		print_zsh_text(command_verbs[k].help);
		fputs("]'", stdout);
	}
	puts("; return; fi\n\t\tcase $words[3] in");
	for (size_t k = first; k < command_verb_count && (k == first || !begins_group(k)); k++) {
		printf("\t\t%s) _arguments", command_verbs[k].words[1]);
		print_zsh_options(&command_verbs[k]);
		puts(" ;;");
	}
	puts("\t\tesac ;;");
}

static void print_zsh(void)
{
	puts("#compdef craton-hsm-admin\n"
	     "# zsh completion; made by craton-hsm-admin completion zsh\n"
	     "if (( CURRENT == 2 )); then\n"
	     "\t_values verb --json --help --version \\");
	for (size_t i = 0; i < command_verb_count; i++) {
		if (begins_group(i))
			printf("\t\t%s \\\n", command_verbs[i].words[0]);
	}
	puts("\n\treturn\nfi\ncase $words[2] in");
	for (size_t i = 0; i < command_verb_count; i++) {
		if (!begins_group(i))
			continue;
		if (command_verbs[i].words[1]) {
			print_zsh_group(i);
			continue;
		}
		printf("\t%s) _arguments", command_verbs[i].words[0]);
		print_zsh_options(&command_verbs[i]);
		puts(" ;;");
	}
	puts("esac");
}

/* ---- fish ---- */

static void print_fish_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
}

/* The condition under which a verb's options are offered. */
static void print_fish_condition(const struct command_verb *verb)
{
	printf("__fish_seen_subcommand_from %s", verb->words[0]);
	if (verb->words[1])
		printf("; and __fish_seen_subcommand_from %s", verb->words[1]);
}

static void print_fish_verb(size_t at)
{
	const struct command_verb *verb = &command_verbs[at];

	if (begins_group(at))
		printf("complete -c craton-hsm-admin -n __fish_use_subcommand -f -a %s -d '",
		       verb->words[0]);
	if (begins_group(at)) {
		print_fish_text(verb->words[1] ? "" : verb->help);
		puts("'");
	}
	if (verb->words[1]) {
		printf("complete -c craton-hsm-admin -n '__fish_seen_subcommand_from %s' -f -a %s "
		       "-d '",
		       verb->words[0], verb->words[1]);
		print_fish_text(verb->help);
		puts("'");
	}
	for (size_t i = 0; i < command_option_count; i++) {
		const struct command_option *option = &command_options[i];

		if (!command_takes(verb, option))
			continue;
		fputs("complete -c craton-hsm-admin -n '", stdout);
		print_fish_condition(verb);
		printf("' -l %s%s -d '", option->name,
		       option->kind != OPTION_TEXT ? ""
		       : takes_file(option)        ? " -r -F"
		                                   : " -x");
		print_fish_text(option->help);
		puts("'");
	}
}

static void print_fish(void)
{
	puts("# fish completion; made by craton-hsm-admin completion fish");
	for (size_t i = 0; i < command_verb_count; i++)
		print_fish_verb(i);
}

int admin_completion(const struct admin_options *options)
{
	static const struct {
		const char *shell;
		void (*print)(void);
	} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
	const char *shell = options->arguments[0];

	for (size_t i = 0; shell && i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (!strcmp(shell, shells[i].shell)) {
			shells[i].print();
			return ferror(stdout) ? ADMIN_FAILED : ADMIN_DONE;
		}
	}
	admin_fail("completion: name the shell: bash, zsh or fish");
	return ADMIN_USAGE;
}

/* ---- manual ---- */

/* Text of a manual page: no line may begin with a dot, and a backslash is roff's. */
static void print_roff(const char *text)
{
	for (; *text; text++) {
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
	}
}

static void print_manual_verb(const struct command_verb *verb)
{
	fputs(".TP\n.B ", stdout);
	print_verb(verb, ' ');
	puts("");
	if (verb->synopsis[0]) {
		fputs(".I \"", stdout);
		print_roff(verb->synopsis);
		puts("\"\n.br");
	}
	putchar(toupper((unsigned char)verb->help[0]));
	print_roff(verb->help + 1);
	puts(".");
}

static void print_manual_option(const struct command_option *option)
{
	fputs(".TP\n.BI \\-\\-", stdout);
	print_roff(option->name);
	if (option->kind == OPTION_OPTIONAL)
		printf(" \"[=\" %s ]", option->argument);
	else if (option->argument)
		printf(" \" %s\"", option->argument);
	puts("");
	putchar(toupper((unsigned char)option->help[0]));
	print_roff(option->help + 1);
	puts(".");
}

int admin_manual(const struct admin_options *options)
{
	(void)options;
	puts(".\\\" Made by craton-hsm-admin manual.\n"
	     ".TH CRATON\\-HSM\\-ADMIN 8 \"\" \"Craton HSM " CRATON_VERSION
	     "\" \"System Administration\"\n"
	     ".SH NAME\n"
	     "craton\\-hsm\\-admin \\- administer the key service\n"
	     ".SH SYNOPSIS\n"
	     ".B craton\\-hsm\\-admin\n"
	     ".RB [ \\-\\-json ]\n"
	     ".RB [ \\-\\-socket\n"
	     ".IR PATH ]\n"
	     ".I VERB\n"
	     "[...]\n"
	     ".SH DESCRIPTION\n"
	     "Talks to the agent,\n"
	     ".BR craton\\-hsm\\-daemon (8),\n"
	     "over its Unix socket. PINs and passphrases are asked for on the terminal without "
	     "echo,\n"
	     "or come from a file, a descriptor or an environment variable that an option names;\n"
	     "never from the command line.\n"
	     ".SH VERBS");
	for (size_t i = 0; i < command_verb_count; i++)
		print_manual_verb(&command_verbs[i]);
	puts(".SH OPTIONS");
	for (size_t i = 0; i < command_option_count; i++)
		print_manual_option(&command_options[i]);
	puts(".SH EXIT STATUS\n"
	     "0 when it is done, 1 when it was refused or failed, 2 for wrong usage.\n"
	     ".SH ENVIRONMENT\n"
	     ".B CRATON_HSM_SOCKET\n"
	     "is the socket when\n"
	     ".B \\-\\-socket\n"
	     "is not given.\n"
	     ".B NO_COLOR\n"
	     "keeps colours away from a terminal.\n"
	     ".SH SEE ALSO\n"
	     ".BR craton\\-hsm\\-daemon (8),\n"
	     ".BR craton_hsm.toml (5),\n"
	     ".BR craton_hsm (4)");
	return ferror(stdout) ? ADMIN_FAILED : ADMIN_DONE;
}
