# As Test::Nginx::Socket.
package Test::Nginx::Util;
use strict;
use Test::Nginx::Socket ();
sub import { }
1;
