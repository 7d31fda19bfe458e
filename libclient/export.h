/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - marks what liblidard.map lets out; everything else is hidden */
#ifndef LIBCLIENT_EXPORT_H
#define LIBCLIENT_EXPORT_H

#define LIDARD_EXPORT __attribute__((visibility("default")))

#endif /* LIBCLIENT_EXPORT_H */
