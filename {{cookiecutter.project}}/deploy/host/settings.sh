# shellcheck shell=sh disable=SC2034,SC2154
# Read by activate and retire: the settings that go along with a switch, and those to go back to.
# `given_settings` is the folder of the new ones, empty where they stay as they are.
#
# $etc/.settings is there, whole, from before the switch until nothing goes back any more:
#   old/   what stood in $etc before; a file that is not in it was not there
#   new/   what is to take its place
#   half   until all of new/ has, and again while old/ takes it back; then it is called `whole`
# It means something only as long as .pending is there, or the run that made it is alive.

require_settings() { # refuses a folder that is not one of settings
    [ -n "$given_settings" ] || return 0
    [ -d "$given_settings" ] || misuse "there is no folder '$given_settings' (--settings)"
    some=
    for file in "$given_settings"/*; do
        case ${file##*/} in
        "$name.env" | secrets.env)
            if [ ! -f "$file" ] || [ ! -r "$file" ]; then
                misuse "'$file' is not a file that can be read (--settings)"
            fi
            some=yes
            ;;
        '*') ;;
        *) misuse "'$file' is no settings: expected $name.env and secrets.env (--settings)" ;;
        esac
    done
    [ -n "$some" ] ||
        misuse "'$given_settings' holds neither $name.env nor secrets.env (--settings)"
}

other_settings() { # are there new ones, and are they not those that are there?
    for file in "$name.env" secrets.env; do
        if settings_have "$file" && ! same "$given_settings/$file" "$etc/$file"; then return; fi
    done
    return 1
}

settings_have() { # FILE
    [ -n "$given_settings" ] && [ -f "$given_settings/$1" ]
}

ready_settings() { # all that needs room on the disk comes before the switch; sets brought
    brought=
    forget_settings
    other_settings || return 0
    (umask 077 && keep_old && copy_new) 2>/dev/null || return 1
    settle "$etc"/.settings.new/new/* "$etc"/.settings.new/* "$etc/.settings.new"
    mv -T "$etc/.settings.new" "$etc/.settings" || return 1
    settle "$etc"
    brought=", with the new settings"
}

keep_old() { # as links: no later change of ours is made in a file that is there
    mkdir "$etc/.settings.new" "$etc/.settings.new/old" "$etc/.settings.new/new" &&
        : >"$etc/.settings.new/half" || return 1
    for file in "$name.env" secrets.env; do
        if [ -e "$etc/$file" ] || [ -L "$etc/$file" ]; then
            ln "$etc/$file" "$etc/.settings.new/old/" ||
                cp -p "$etc/$file" "$etc/.settings.new/old/" || return 1
        fi
    done
}

copy_new() {
    for file in "$name.env" secrets.env; do
        if settings_have "$file" && ! same "$given_settings/$file" "$etc/$file"; then
            cp "$given_settings/$file" "$etc/.settings.new/new/" || return 1
        fi
    done
    # Their group may look at the settings, nobody at the secrets: systemd reads them as root.
    chmod 0600 "$etc"/.settings.new/new/* || return 1
    [ ! -f "$etc/.settings.new/new/$name.env" ] || chmod 0640 "$etc/.settings.new/new/$name.env"
}

put_settings() {
    [ -d "$etc/.settings" ] || return 0
    for file in "$etc"/.settings/new/*; do
        mv -fT "$file" "$etc/${file##*/}" || return 1
    done
    settle "$etc"
    mv -T "$etc/.settings/half" "$etc/.settings/whole"
}

settings_back() { # again and again does no harm
    [ -d "$etc/.settings" ] || return 0
    [ -e "$etc/.settings/half" ] || mv -T "$etc/.settings/whole" "$etc/.settings/half" || return 1
    for file in "$name.env" secrets.env; do
        was=$etc/.settings/old/$file
        if [ ! -e "$was" ] && [ ! -L "$was" ]; then
            rm -f "$etc/$file" || return 1
        elif ! same "$was" "$etc/$file"; then
            { ln -f "$was" "$etc/.settings/$file" || cp -p "$was" "$etc/.settings/$file"; } &&
                mv -fT "$etc/.settings/$file" "$etc/$file" || return 1
        fi
    done 2>/dev/null
    settle "$etc"
    mv -T "$etc/.settings/half" "$etc/.settings/whole"
}

forget_settings() { # once nothing goes back to the old ones
    rm -rf "$etc"/.settings.*
    [ -d "$etc/.settings" ] || return 0
    # That .pending is gone must be on the disk before.
    settle "$base"
    ! mv -T "$etc/.settings" "$etc/.settings.gone" || rm -rf "$etc/.settings.gone"
}
