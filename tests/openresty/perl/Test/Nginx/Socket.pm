# Stands in for Test::Nginx::Socket: reads the blocks behind __DATA__ of the file that uses it, and
# prints them as JSON, one block a line, where the original would run them.
package Test::Nginx::Socket;
use strict;
use warnings;
use JSON::PP ();

our %Settings = (log_level => 'debug', workers => 1, master => 0, root_location => 1, env => []);
my $Root = $ENV{TEST_NGINX_SERVROOT} || '/tmp/servroot';
my $json = JSON::PP->new->latin1->canonical->allow_nonref;

sub import {
    my $caller = caller;
    strict->import;
    warnings->import;
    no strict 'refs';
    for my $name (qw(plan repeat_each blocks run_tests log_level workers master_on master_off
        master_process_enabled no_long_string no_diff no_shuffle no_root_location worker_connections
        env_to_nginx check_accum_error_log add_cleanup_handler add_block_preprocessor html_dir
        server_root server_port server_addr use_hup skip_all bail_out no_nginx_manager timeout
        add_response_body_check log_level_of bench)) {
        *{"${caller}::$name"} = \&{$name};
    }
    *{"${caller}::ServerPort"} = \$ENV{TEST_NGINX_SERVER_PORT};
}

my @preprocessors;
sub plan { }
sub repeat_each { return $_[0] || 1 }
sub blocks { return 1 }
sub log_level { $Settings{log_level} = $_[0] if @_; return $Settings{log_level} }
sub log_level_of { }
sub workers { $Settings{workers} = $_[0] }
sub master_on { $Settings{master} = 1 }
sub master_off { $Settings{master} = 0 }
sub master_process_enabled { $Settings{master} = $_[0] }
sub no_root_location { $Settings{root_location} = 0 }
sub env_to_nginx { push @{$Settings{env}}, @_ }
sub check_accum_error_log { $Settings{accumulate} = 1 }
sub add_block_preprocessor { push @preprocessors, $_[0] }
sub html_dir { return "$Root/html" }
sub server_root { return $Root }
sub server_port { return $ENV{TEST_NGINX_SERVER_PORT} || 1984 }
sub server_addr { return '127.0.0.1' }
sub skip_all { exit 0 }
sub bail_out { die @_ }
sub no_long_string { } sub no_diff { } sub no_shuffle { } sub worker_connections { }
sub add_cleanup_handler { } sub use_hup { $Settings{use_hup} = 1 } sub no_nginx_manager { }
sub timeout { } sub add_response_body_check { } sub bench { }

sub run_tests {
    my $caller = caller;
    no strict 'refs';
    my $handle = *{"main::DATA"}{IO} or return;
    local $/;
    my $text = <$handle>;
    my $number = 0;
    for my $chunk (split /^===[ \t]+/m, $text) {
        next if !$number++ && $chunk !~ /^---/m;
        my $block = Test::Nginx::Block->read($chunk) or next;
        $_->($block) for @preprocessors;
        print $json->encode({name => $block->{name}, sections => plain($block->{sections}),
            settings => {%Settings}, faults => $block->{faults}}), "\n";
    }
}

# Regexes become objects, so that the runner can tell them from text.
sub plain {
    my ($value) = @_;
    my $kind = ref $value;
    return { map { $_ => plain($value->{$_}) } keys %$value } if $kind eq 'HASH';
    return [ map { plain($_) } @$value ] if $kind eq 'ARRAY';
    return { regex => "$value" } if $kind eq 'Regexp';
    return undef if $kind eq 'CODE';
    return defined $value ? "$value" : undef;
}

package Test::Nginx::Block;
use strict;
use warnings;
our $AUTOLOAD;

sub read {
    my ($class, $chunk) = @_;
    my ($name, $rest) = split /\n/, $chunk, 2;
    return unless defined $rest;
    my $self = bless { name => $name, sections => {}, faults => [] }, $class;
    my @parts = split /^---[ \t]+/m, $rest;
    shift @parts;
    for my $part (@parts) {
        my ($head, $body) = split /\n/, $part, 2;
        $body = '' unless defined $body;
        $head =~ s/^\s+|\s+$//g;
        my ($key, $filters, $inline) = $head =~ /^(\w+)((?:[ \t]+[\w=]+)*)[ \t]*(?::[ \t]*(.*))?$/;
        next unless defined $key;
        my $value = $body;
        if (defined $inline) { $value = $inline }
        else { $value =~ s/\n*\z/\n/ unless $value =~ /\A\s*\z/; $value = '' if $value =~ /\A\s*\z/ }
        $value =~ s/^\\(?=---|===)//mg;
        for my $filter (split ' ', $filters || '') { $value = $self->filter($filter, $value, $key) }
        $self->{sections}{$key} = $value;
    }
    return $self;
}

sub filter {
    my ($self, $filter, $value, $key) = @_;
    return $value if ref $value && $filter ne 'join';
    if ($filter eq 'eval') {
        my $made = do { no strict; no warnings; package main; eval $value };
        push @{ $self->{faults} }, "$key: $@" if $@;
        return $made;
    }
    if ($filter eq 'chomp') { $value =~ s/\n\z//; return $value }
    if ($filter eq 'chop') { chop $value; return $value }
    if ($filter eq 'trim') { $value =~ s/\A\s+|\s+\z//g; return $value }
    if ($filter eq 'lines') { return [ $value =~ /([^\n]*\n)/g ] }
    if ($filter eq 'quote') { return $value }
    return $value;
}

sub name { $_[0]{name} }
sub set_value { $_[0]{sections}{$_[1]} = $_[2] }
sub DESTROY { }
sub AUTOLOAD {
    my $self = shift;
    my ($key) = $AUTOLOAD =~ /(\w+)$/;
    return $self->{sections}{$key};
}

1;
