# As Test::Nginx::Socket.
package Test::Nginx::Socket::Lua::Stream;
use strict;
use Test::Nginx::Socket ();
sub import { goto &Test::Nginx::Socket::import }
1;
