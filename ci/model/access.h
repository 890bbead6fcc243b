/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CI_MODEL_ACCESS_H
#define CI_MODEL_ACCESS_H

/* Called before each access to memory that the code under test makes. Each model has its own. */
void model_before_access(void);

#endif
