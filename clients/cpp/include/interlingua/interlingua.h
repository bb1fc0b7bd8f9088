// Everything: the client, its errors, its streams and the constructors of requests.
#pragma once

#include "interlingua/client.h"    // IWYU pragma: export
#include "interlingua/error.h"     // IWYU pragma: export
#include "interlingua/messages.h"  // IWYU pragma: export
#include "interlingua/stream.h"    // IWYU pragma: export
