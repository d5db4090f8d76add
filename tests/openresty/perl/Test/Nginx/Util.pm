# As Test::Nginx::Socket.
package Test::Nginx::Util;
use strict;
use Test::Nginx::Socket ();
sub import {
    my $caller = caller;
    no strict 'refs';
    *{"${caller}::is_tcp_port_used"} = \&is_tcp_port_used;
}
sub is_tcp_port_used ($) { return 0 }
1;
