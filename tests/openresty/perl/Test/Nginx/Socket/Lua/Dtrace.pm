# As Test::Nginx::Socket.
package Test::Nginx::Socket::Lua::Dtrace;
use strict;
use Test::Nginx::Socket ();
sub import { goto &Test::Nginx::Socket::import }
1;
