/* SPDX-License-Identifier: Apache-2.0 */
/* os/dirs: where things live, by XDG and the variables of adam. Each returns an owned path (not
 * created), NULL when memory is out or there is no home. Any thread. */
#ifndef AM_OS_DIRS_H
#define AM_OS_DIRS_H

char *am_dirs_cache(void);  /* ADAM_CACHE_DIR, else $XDG_CACHE_HOME/adam, else ~/.cache/adam */
char *am_dirs_data(void);   /* $XDG_DATA_HOME/adam, else ~/.local/share/adam */
char *am_dirs_config(void); /* $XDG_CONFIG_HOME/adam, else ~/.config/adam */
char *am_dirs_hub(void);    /* HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub, ~/.cache/huggingface/hub; ~ and $VAR expanded */
char *am_dirs_home(void);
/* The folder of the running program. */
char *am_dirs_program(void);
/* Expands a leading ~ and $VAR or ${VAR}. Owned. */
char *am_dirs_expand(const char *path);

#endif
